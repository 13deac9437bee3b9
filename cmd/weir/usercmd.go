package main

import (
	"context"
	"os"
	"os/user"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/weirdb/weir/store"
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
		return &accounts{s, config.Auth.MySQLPlugins, config.Auth.Sources}, nil
	}
	commands := []*cobra.Command{userCommand(open), groupCommand(open), projectCommand(open), keyCommand(open)}
	for _, c := range commands {
		c.PersistentPreRun = func(cmd *cobra.Command, _ []string) { cmd.SetContext(store.WithActor(cmd.Context(), operator())) }
		c.PersistentFlags().StringVarP(&path, "config", "c", "/etc/weir/weir.yaml", "configuration file")
	}
	return commands
}

// operator names who runs a command, for the audit event of what it changes.
// SUDO_USER is what sudo says, and anybody with root's rights may say.
func operator() string {
	name := strconv.Itoa(os.Getuid())
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if by := os.Getenv("SUDO_USER"); by != "" && by != name {
		name += " for " + by
	}
	return "command line of " + name
}
