package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/weirdb/weir/store"
)

// accountCommands are the commands that change users, groups and projects. A
// running weir sees each change within a second and records it; one that is
// started later records what it missed.
func accountCommands() []*cobra.Command {
	var path string
	open := func(ctx context.Context) (*store.Store, error) {
		config, faults, err := loadConfig(path)
		if err == nil && len(faults) > 0 {
			err = faults
		}
		if err != nil {
			return nil, err
		}
		return openStoreAlone(ctx, config)
	}
	commands := []*cobra.Command{userCommand(open), groupCommand(open), projectCommand(open)}
	for _, c := range commands {
		c.PersistentFlags().StringVarP(&path, "config", "c", "/etc/weir/weir.yaml", "configuration file")
	}
	return commands
}
