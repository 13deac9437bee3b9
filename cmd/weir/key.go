package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/weirdb/weir/auth/apikey"
	"github.com/weirdb/weir/store"
)

const defaultKeyLife = 90 * 24 * time.Hour

// keyCommand is `weir key`.
func keyCommand(open storeOpener) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "key",
		Short: "Manage API keys, by which services log in",
		Long: `Manage API keys. A key stands in the place of a user's password, on both
protocols, for a time that is always limited, and perhaps for one datasource or
project alone. What is stored is a verifier, never the key.` + exitCodesHelp,
		Example: `  weir user add reporting --no-password --group services
  weir key create reporting nightly --datasource shop
  weir key list`,
		Args: subcommandOnly,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(keyCreateCommand(open), keyRotateCommand(open), keyRevokeCommand(open), keyListCommand(open))
	return cmd
}

func keyCreateCommand(open storeOpener) *cobra.Command {
	var output string
	var life time.Duration
	var c store.Credential
	cmd := &cobra.Command{
		Use:   "create USER NAME",
		Short: "Make a key of a user, and print it once",
		Long: `Make a key by which USER logs in. NAME tells it from the user's other keys.
It is printed this once.` + exitCodesHelp,
		Example: `  weir key create reporting nightly --datasource shop --expires 720h
  weir key create reporting nightly --output json | jq -r .key`,
		Args: arguments(2),
		RunE: reporting(func(cmd *cobra.Command, args []string) error {
			return withStore(cmd.Context(), open, func(s *accounts) error {
				c.Name = args[1]
				return makeKey(cmd, s, args[0], c, life, output, s.AddCredential)
			})
		}),
	}
	outputFlag(cmd, &output)
	cmd.Flags().DurationVar(&life, "expires", defaultKeyLife, "how long it counts, at most 8784h (366 days)")
	cmd.Flags().StringVar(&c.Datasource, "datasource", "", "the one datasource that it is for (default: all)")
	cmd.Flags().StringVar(&c.Project, "project", "", "the one project that it is for (default: all)")
	return cmd
}

// makeKey makes a key and shows it.
func makeKey(cmd *cobra.Command, s *accounts, user string, c store.Credential, life time.Duration, output string,
	add func(ctx context.Context, user string, c store.Credential) (store.Credential, error)) error {
	u, err := s.LookupUser(cmd.Context(), user)
	if err != nil {
		return err
	}
	key := apikey.New()
	c.Kind, c.Hint, c.ExpiresAt = store.CredentialAPIKey, apikey.Hint(key), time.Now().Add(life)
	if c.Verifier, err = s.verifier(cmd.Context(), u.Name, key); err != nil {
		return err
	}
	added, err := add(cmd.Context(), u.Name, c)
	if err != nil {
		return err
	}
	if output == "json" {
		row := keyRowOf(added)
		row.Key = key
		return writeJSON(cmd.OutOrStdout(), row)
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: made for %s, until %s\nkey (shown this once): %s\n", added.Name, added.UserName, added.ExpiresAt.Local().Format(time.DateTime), key)
	return err
}

func keyRotateCommand(open storeOpener) *cobra.Command {
	var output string
	var life, overlap time.Duration
	cmd := &cobra.Command{
		Use:   "rotate USER NAME",
		Short: "Make a new key in the place of one, which counts for a while yet",
		Long: `Make a new key with the name and scope of another one, and print it once. The
old one counts until the overlap is over.` + exitCodesHelp,
		Example: `  weir key rotate reporting nightly --overlap 24h`,
		Args:    arguments(2),
		RunE: reporting(func(cmd *cobra.Command, args []string) error {
			return withStore(cmd.Context(), open, func(s *accounts) error {
				old, err := findKey(cmd, s, args[0], args[1])
				if err != nil {
					return err
				}
				c := store.Credential{Name: old.Name, Project: old.Project, Datasource: old.Datasource, Replaces: old.ID}
				return makeKey(cmd, s, args[0], c, life, output, func(ctx context.Context, user string, c store.Credential) (store.Credential, error) {
					return s.RotateCredential(ctx, user, c, time.Now().Add(overlap))
				})
			})
		}),
	}
	outputFlag(cmd, &output)
	cmd.Flags().DurationVar(&life, "expires", defaultKeyLife, "how long the new one counts, at most 8784h (366 days)")
	cmd.Flags().DurationVar(&overlap, "overlap", 24*time.Hour, "how long the old one counts yet")
	return cmd
}

// findKey is the newest live key of a user by its name.
func findKey(cmd *cobra.Command, s *accounts, user, name string) (store.Credential, error) {
	u, err := s.LookupUser(cmd.Context(), user)
	if err != nil {
		return store.Credential{}, err
	}
	var found []store.Credential
	for _, c := range u.Credentials {
		if c.Kind == store.CredentialAPIKey && c.Name == name {
			found = append(found, c)
		}
	}
	if len(found) == 0 {
		return store.Credential{}, fmt.Errorf("user %q has no key %q that counts (weir key list shows all)", u.Name, name)
	}
	return slices.MaxFunc(found, func(a, b store.Credential) int { return a.CreatedAt.Compare(b.CreatedAt) }), nil
}

func keyRevokeCommand(open storeOpener) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "revoke USER NAME",
		Short: "End a key, and the sessions of its user",
		Long: `End all keys of that name at once, with the old one of a rotation. The user's sessions
end as well.` + exitCodesHelp,
		Example: `  weir key revoke reporting nightly`,
		Args:    arguments(2),
		RunE: reporting(func(cmd *cobra.Command, args []string) error {
			return withStore(cmd.Context(), open, func(s *accounts) error {
				u, err := s.LookupUser(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				n := 0
				for _, c := range u.Credentials {
					if c.Kind == store.CredentialAPIKey && c.Name == args[1] {
						if err := s.RevokeCredential(cmd.Context(), c.ID); err != nil {
							return err
						}
						n++
					}
				}
				if n == 0 {
					return fmt.Errorf("user %q has no key %q that counts (weir key list shows all)", u.Name, args[1])
				}
				return reportDone(cmd, output, "revoked", args[1], "")
			})
		}),
	}
	outputFlag(cmd, &output)
	return cmd
}

// keyRow is one key of `weir key list --output json`.
type keyRow struct {
	ID         string     `json:"id"`
	User       string     `json:"user"`
	Name       string     `json:"name"`
	Hint       string     `json:"hint"`
	Project    string     `json:"project,omitempty"`
	Datasource string     `json:"datasource,omitempty"`
	State      string     `json:"state"` // live, expired, revoked
	CreatedAt  time.Time  `json:"created_at"`
	ExpiresAt  time.Time  `json:"expires_at"`
	LastUsedAt *time.Time `json:"last_used_at"`
	Replaces   string     `json:"replaces,omitempty"`
	Key        string     `json:"key,omitempty"` // when it is made
}

func keyRowOf(c store.Credential) keyRow {
	state := "live"
	if !c.RevokedAt.IsZero() {
		state = "revoked"
	} else if !c.Live(time.Now()) {
		state = "expired"
	}
	return keyRow{ID: c.ID, User: c.UserName, Name: c.Name, Hint: c.Hint, Project: c.Project, Datasource: c.Datasource, State: state, CreatedAt: c.CreatedAt,
		ExpiresAt: c.ExpiresAt, LastUsedAt: unlessZero(c.LastUsedAt), Replaces: c.Replaces}
}

func keyListCommand(open storeOpener) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List keys",
		Long:    `List all keys with the beginning of each, its scope, its end and its last use (to the minute).` + exitCodesHelp,
		Example: `  weir key list --output json | jq -r '.[] | select(.last_used_at == null) | .name'`,
		Args:    arguments(0),
		RunE: reporting(func(cmd *cobra.Command, _ []string) error {
			return withStore(cmd.Context(), open, func(s *accounts) error {
				keys, err := s.ListCredentials(cmd.Context(), store.CredentialAPIKey)
				if err != nil {
					return err
				}
				rows := make([]keyRow, 0, len(keys))
				for _, c := range keys {
					rows = append(rows, keyRowOf(c))
				}
				if output == "json" {
					return writeJSON(cmd.OutOrStdout(), rows)
				}
				return writeKeys(cmd.OutOrStdout(), rows)
			})
		}),
	}
	outputFlag(cmd, &output)
	return cmd
}

func writeKeys(w io.Writer, rows []keyRow) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "USER\tNAME\tKEY\tFOR\tSTATE\tEXPIRES\tLAST USE")
	for _, r := range rows {
		scope, used := "all", "never"
		switch {
		case r.Datasource != "":
			scope = "datasource " + r.Datasource
		case r.Project != "":
			scope = "project " + r.Project
		}
		if r.LastUsedAt != nil {
			used = r.LastUsedAt.Local().Format("2006-01-02 15:04")
		}
		fmt.Fprintf(table, "%s\t%s\t%s…\t%s\t%s\t%s\t%s\n", r.User, r.Name, r.Hint, scope, r.State, r.ExpiresAt.Local().Format("2006-01-02 15:04"), used)
	}
	return table.Flush()
}
