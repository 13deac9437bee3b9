package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/weirdb/weir/store"
)

// reportDone says what was done to whom, and shows a generated password.
func reportDone(cmd *cobra.Command, output, what, name, password string) error {
	if output == "json" {
		return writeJSON(cmd.OutOrStdout(), struct {
			Name     string `json:"name"`
			Result   string `json:"result"`
			Password string `json:"password,omitempty"`
		}{name, what, password})
	}
	if _, err := fmt.Fprintf(cmd.OutOrStdout(), "%s: %s\n", name, what); err != nil || password == "" {
		return err
	}
	_, err := fmt.Fprintf(cmd.OutOrStdout(), "password (shown this once): %s\n", password)
	return err
}

// userRow is one user of `weir user list --output json`.
type userRow struct {
	ID           string            `json:"id"`
	Name         string            `json:"name"`
	Source       string            `json:"source"`
	DisplayName  string            `json:"display_name,omitempty"`
	Email        string            `json:"email,omitempty"`
	Groups       []string          `json:"groups"`
	Role         string            `json:"role"`
	ProjectRoles map[string]string `json:"project_roles"`
	Password     bool              `json:"has_password"`
	Disabled     bool              `json:"disabled"`
	CreatedAt    time.Time         `json:"created_at"`
	DisabledAt   *time.Time        `json:"disabled_at"`
	LastLoginAt  *time.Time        `json:"last_login_at"`
}

func userListCommand(open storeOpener) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List users",
		Long:  `List all users with their source, groups, roles and last login (to the minute).` + exitCodesHelp,
		Example: `  weir user list
  weir user list --output json | jq -r '.[] | select(.disabled) | .name'`,
		Args: arguments(0),
		RunE: reporting(func(cmd *cobra.Command, _ []string) error {
			return withStore(cmd.Context(), open, func(s *accounts) error {
				users, err := s.ListUsers(cmd.Context())
				if err != nil {
					return err
				}
				if output == "json" {
					return writeJSON(cmd.OutOrStdout(), userRows(users))
				}
				return writeUsers(cmd.OutOrStdout(), users)
			})
		}),
	}
	outputFlag(cmd, &output)
	return cmd
}

func userRows(users []store.User) []userRow {
	rows := make([]userRow, 0, len(users))
	for _, u := range users {
		rows = append(rows, userRow{
			ID: u.ID, Name: u.Name, Source: u.Source, DisplayName: u.DisplayName, Email: u.Email, Groups: append([]string{}, u.Groups...), Role: u.GlobalRole,
			ProjectRoles: u.ProjectRoles, Password: u.Verifier != "", Disabled: u.Disabled(), CreatedAt: u.CreatedAt,
			DisabledAt: unlessZero(u.DisabledAt), LastLoginAt: unlessZero(u.LastLoginAt),
		})
	}
	return rows
}

func unlessZero(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func writeUsers(w io.Writer, users []store.User) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NAME\tSOURCE\tGROUPS\tROLE\tPROJECTS\tSTATE\tLAST LOGIN")
	for _, u := range users {
		var projects []string
		for _, name := range slices.Sorted(maps.Keys(u.ProjectRoles)) {
			projects = append(projects, name+"="+u.ProjectRoles[name])
		}
		state, login := "enabled", "never"
		if u.Disabled() {
			state = "disabled"
		}
		if !u.LastLoginAt.IsZero() {
			login = u.LastLoginAt.Local().Format("2006-01-02 15:04")
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", u.Name, u.Source, orDash(u.Groups), u.GlobalRole, orDash(projects), state, login)
	}
	return table.Flush()
}

func orDash(items []string) string {
	if len(items) == 0 {
		return "-"
	}
	return strings.Join(items, ",")
}
