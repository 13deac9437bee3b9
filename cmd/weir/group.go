package main

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/weirdb/weir/store"
)

// namedKind is what groups and projects have in common for commands.
type namedKind struct {
	noun, short, removal string
	add, remove          func(*store.Store, context.Context, string) error
	list                 func(*store.Store, context.Context) ([]store.Named, error)
}

// groupCommand is `weir group`.
func groupCommand(open storeOpener) *cobra.Command {
	return namedCommand(open, namedKind{
		noun: "group", short: "Manage groups of users", removal: "Remove a group; its members leave it",
		add: (*store.Store).AddGroup, remove: (*store.Store).RemoveGroup, list: (*store.Store).ListGroups,
	})
}

// projectCommand is `weir project`.
func projectCommand(open storeOpener) *cobra.Command {
	return namedCommand(open, namedKind{
		noun: "project", short: "Manage projects, in which users have roles", removal: "Remove a project and the roles in it",
		add: (*store.Store).AddProject, remove: (*store.Store).RemoveProject, list: (*store.Store).ListProjects,
	})
}

func namedCommand(open storeOpener, kind namedKind) *cobra.Command {
	cmd := &cobra.Command{
		Use:     kind.noun,
		Short:   kind.short,
		Long:    kind.short + ". Who belongs to what is set with weir user add and weir user edit." + exitCodesHelp,
		Example: "  weir " + kind.noun + " add sales\n  weir " + kind.noun + " list",
		Args:    subcommandOnly,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		namedChangeCommand(open, kind.noun, "add", "Add a "+kind.noun, "added", kind.add),
		namedChangeCommand(open, kind.noun, "remove", kind.removal, "removed", kind.remove),
		namedListCommand(open, kind))
	return cmd
}

func namedChangeCommand(open storeOpener, noun, verb, short, done string, do func(*store.Store, context.Context, string) error) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:     verb + " NAME",
		Short:   short,
		Long:    short + "." + exitCodesHelp,
		Example: "  weir " + noun + " " + verb + " sales",
		Args:    arguments(1),
		RunE: reporting(func(cmd *cobra.Command, args []string) error {
			return withStore(cmd.Context(), open, func(s *accounts) error {
				if err := do(s.Store, cmd.Context(), args[0]); err != nil {
					return err
				}
				return reportDone(cmd, output, done, args[0], "")
			})
		}),
	}
	outputFlag(cmd, &output)
	return cmd
}

func namedListCommand(open storeOpener, kind namedKind) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List " + kind.noun + "s",
		Long:    "List all " + kind.noun + "s with the number of their users." + exitCodesHelp,
		Example: "  weir " + kind.noun + " list --output json",
		Args:    arguments(0),
		RunE: reporting(func(cmd *cobra.Command, _ []string) error {
			return withStore(cmd.Context(), open, func(s *accounts) error {
				entries, err := kind.list(s.Store, cmd.Context())
				if err != nil {
					return err
				}
				if output == "json" {
					return writeJSON(cmd.OutOrStdout(), namedRows(entries))
				}
				table := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
				fmt.Fprintln(table, "NAME\tUSERS")
				for _, e := range entries {
					fmt.Fprintf(table, "%s\t%d\n", e.Name, e.Users)
				}
				return table.Flush()
			})
		}),
	}
	outputFlag(cmd, &output)
	return cmd
}

// namedRow is one group or project in JSON.
type namedRow struct {
	Name      string    `json:"name"`
	Users     int       `json:"users"`
	CreatedAt time.Time `json:"created_at"`
}

func namedRows(entries []store.Named) []namedRow {
	rows := make([]namedRow, 0, len(entries))
	for _, e := range entries {
		rows = append(rows, namedRow{Name: e.Name, Users: e.Users, CreatedAt: e.CreatedAt})
	}
	return rows
}
