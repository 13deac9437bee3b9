package main

import (
	"context"

	"github.com/spf13/cobra"
)

// accountCommands are the commands that change users, groups and projects. A
// running weir sees each change within a second and records it; one that is
// started later records what it missed.
func accountCommands() []*cobra.Command {
	var path string
	open := func(ctx context.Context) (*accounts, error) {
		config, faults, err := loadConfig(path)
		if err == nil && len(faults) > 0 {
			err = faults
		}
		if err != nil {
			return nil, err
		}
		s, err := openStoreAlone(ctx, config)
		if err != nil {
			return nil, err
		}
		return &accounts{s, config.Auth.MySQLPlugins}, nil
	}
	commands := []*cobra.Command{userCommand(open), groupCommand(open), projectCommand(open)}
	for _, c := range commands {
		c.PersistentFlags().StringVarP(&path, "config", "c", "/etc/weir/weir.yaml", "configuration file")
	}
	return commands
}
