package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/weirdb/weir/auth"
	"github.com/weirdb/weir/configs"
	"github.com/weirdb/weir/store"
)

// accounts is a store, and what the configuration says of the passwords in it.
type accounts struct {
	*store.Store
	plugins []string         // auth.mysql_plugins
	sources []configs.Source // auth.sources
}

// answered refuses to add a user whose name a source answers for: nobody could
// log in as that user.
func (a *accounts) answered(name string) error {
	for _, s := range a.sources {
		for _, pattern := range s.Names {
			if auth.Matches(pattern, name) {
				return &usageError{fmt.Errorf("source %q answers for the name %q (auth.sources, names: %q); people of a source are added at their first login", s.Name, name, pattern)}
			}
		}
	}
	return nil
}

// storeOpener opens the store that the configuration names.
type storeOpener func(context.Context) (*accounts, error)

const exitCodesHelp = `

Exit codes: 0 done; 1 not done (no such user, exists already, store not
usable); 2 wrong usage (flag, name, role or a password that is too weak).`

// usageError is a mistake in how a command was called: exit code 2.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// reporting makes a usageError of a command's work the message and the exit
// status for it.
func reporting(work func(*cobra.Command, []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		err := work(cmd, args)
		var usage *usageError
		if errors.As(err, &usage) {
			fmt.Fprintf(cmd.ErrOrStderr(), "weir: %v\nSee '%s --help'.\n", err, cmd.CommandPath())
			return exitError(2)
		}
		return err
	}
}

// classify makes an error that the caller can mend by calling differently a
// usageError, and adds what to do where that is known.
func classify(err error) error {
	var invalid *store.Invalid
	var weak *auth.WeakPassword
	var missing *store.NotFound
	switch {
	case errors.As(err, &invalid) || errors.As(err, &weak):
		return &usageError{err}
	case errors.As(err, &missing) && missing.Object != store.ObjectUser:
		return fmt.Errorf("%w (weir %s add %q creates it)", err, missing.Object, missing.Name)
	}
	return err
}

// withStore opens the store around a command's work.
func withStore(ctx context.Context, open storeOpener, work func(*accounts) error) error {
	s, err := open(ctx)
	if err != nil {
		return err
	}
	return errors.Join(classify(work(s)), s.Close())
}

// arguments is cobra.ExactArgs that ends with the exit status for wrong usage.
func arguments(n int) cobra.PositionalArgs {
	return reporting(func(cmd *cobra.Command, args []string) error {
		if err := cobra.ExactArgs(n)(cmd, args); err != nil {
			return &usageError{err}
		}
		return nil
	})
}

// subcommandOnly is for commands that do nothing by themselves.
func subcommandOnly(cmd *cobra.Command, args []string) error {
	return reporting(func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return &usageError{fmt.Errorf("unknown command %q for %q", args[0], cmd.CommandPath())}
		}
		return nil
	})(cmd, args)
}

// userCommand is `weir user`.
func userCommand(open storeOpener) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "user",
		Short: "Manage local users",
		Long: `Manage the users that weir keeps itself. Changes take effect within a second,
also in a running weir; sessions of a disabled or removed user end.` + exitCodesHelp,
		Example: `  weir user add ana --group analysts --project sales=viewer
  weir user list`,
		Args: subcommandOnly,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(userAddCommand(open), userPasswdCommand(open), userEditCommand(open), userListCommand(open),
		userSwitchCommand(open, "disable", "Keep a user from logging in, and end the user's sessions", (*store.Store).DisableUser),
		userSwitchCommand(open, "enable", "Let a disabled user log in again", (*store.Store).EnableUser),
		userSwitchCommand(open, "remove", "Remove a user with all memberships and roles", (*store.Store).RemoveUser))
	return cmd
}

func userAddCommand(open storeOpener) *cobra.Command {
	var password passwordFlags
	var output string
	var groups, projects []string
	var role string
	cmd := &cobra.Command{
		Use:   "add NAME",
		Short: "Add a user",
		Long: `Add a local user. The password is asked for twice, or read from standard input,
or generated and printed once. What is stored is a SCRAM-SHA-256 verifier, never
the password. Groups and projects have to exist.` + exitCodesHelp,
		Example: `  weir user add ana --group analysts --role member --project sales=viewer
  weir user add reporting --generate --output json
  pass show weir/ana | weir user add ana --password-stdin
  weir user add backup --no-password      # logs in by certificate only`,
		Args: arguments(1),
		RunE: reporting(func(cmd *cobra.Command, args []string) error {
			roles, err := projectRoles(projects, false)
			if err != nil {
				return err
			}
			return withStore(cmd.Context(), open, func(s *accounts) error {
				name, err := unusedName(cmd.Context(), s.Store, args[0]) // before asking for a password
				if err == nil {
					err = s.answered(name)
				}
				if err != nil {
					return err
				}
				secret, err := password.read(cmd, name, s)
				if err != nil {
					return err
				}
				user, err := s.AddUser(cmd.Context(), store.NewUser{
					Name: name, Verifier: secret.verifier, GlobalRole: role, Groups: groups, ProjectRoles: roles,
				})
				if err != nil {
					return err
				}
				return reportDone(cmd, output, "added", user.Name, secret.generated)
			})
		}),
	}
	password.register(cmd)
	outputFlag(cmd, &output)
	cmd.Flags().StringArrayVar(&groups, "group", nil, "a group to join (repeatable)")
	cmd.Flags().StringVar(&role, "role", store.GlobalMember, "global role: "+strings.Join(store.GlobalRoles(), ", "))
	cmd.Flags().StringArrayVar(&projects, "project", nil, "`PROJECT=ROLE`: "+strings.Join(store.ProjectRoles(), ", ")+" (repeatable)")
	return cmd
}

func userPasswdCommand(open storeOpener) *cobra.Command {
	var password passwordFlags
	var output string
	cmd := &cobra.Command{
		Use:   "passwd NAME",
		Short: "Change a user's password",
		Long: `Change the password of a user. It is asked for twice, or read from standard
input, or generated and printed once. --no-password ends password logins.` + exitCodesHelp,
		Example: `  weir user passwd ana
  weir user passwd ana --generate`,
		Args: arguments(1),
		RunE: reporting(func(cmd *cobra.Command, args []string) error {
			return withStore(cmd.Context(), open, func(s *accounts) error {
				if _, err := s.LookupUser(cmd.Context(), args[0]); err != nil { // before asking for a password
					return err
				}
				secret, err := password.read(cmd, args[0], s)
				if err != nil {
					return err
				}
				if err := s.SetVerifier(cmd.Context(), args[0], secret.verifier); err != nil {
					return err
				}
				return reportDone(cmd, output, "password changed", args[0], secret.generated)
			})
		}),
	}
	password.register(cmd)
	outputFlag(cmd, &output)
	return cmd
}

func userEditCommand(open storeOpener) *cobra.Command {
	var output string
	var update store.UserUpdate
	var projects []string
	cmd := &cobra.Command{
		Use:   "edit NAME",
		Short: "Change a user's groups and roles",
		Long:  `Change groups and roles of a user; what no flag names stays as it is.` + exitCodesHelp,
		Example: `  weir user edit ana --add-group auditors --remove-group analysts
  weir user edit ana --role administrator --project sales=editor --project hr=`,
		Args: arguments(1),
		RunE: reporting(func(cmd *cobra.Command, args []string) error {
			if len(update.AddGroups)+len(update.RemoveGroups)+len(projects) == 0 && update.GlobalRole == "" {
				return &usageError{errors.New("nothing to change: give --add-group, --remove-group, --role or --project")}
			}
			var err error
			if update.ProjectRoles, err = projectRoles(projects, true); err != nil {
				return err
			}
			return withStore(cmd.Context(), open, func(s *accounts) error {
				if err := s.UpdateUser(cmd.Context(), args[0], update); err != nil {
					return err
				}
				return reportDone(cmd, output, "changed", args[0], "")
			})
		}),
	}
	outputFlag(cmd, &output)
	cmd.Flags().StringArrayVar(&update.AddGroups, "add-group", nil, "a group to join (repeatable)")
	cmd.Flags().StringArrayVar(&update.RemoveGroups, "remove-group", nil, "a group to leave (repeatable)")
	cmd.Flags().StringVar(&update.GlobalRole, "role", "", "global role: "+strings.Join(store.GlobalRoles(), ", "))
	cmd.Flags().StringArrayVar(&projects, "project", nil, "`PROJECT=ROLE`, or PROJECT= to take the role away (repeatable)")
	return cmd
}

// userSwitchCommand is a command that does one thing to one user.
func userSwitchCommand(open storeOpener, verb, short string, do func(*store.Store, context.Context, string) error) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:     verb + " NAME",
		Short:   short,
		Long:    short + "." + exitCodesHelp,
		Example: "  weir user " + verb + " ana",
		Args:    arguments(1),
		RunE: reporting(func(cmd *cobra.Command, args []string) error {
			return withStore(cmd.Context(), open, func(s *accounts) error {
				if err := do(s.Store, cmd.Context(), args[0]); err != nil {
					return err
				}
				return reportDone(cmd, output, strings.TrimSuffix(verb, "e")+"ed", args[0], "")
			})
		}),
	}
	outputFlag(cmd, &output)
	return cmd
}

// unusedName returns the normalised name if no user has it.
func unusedName(ctx context.Context, s *store.Store, name string) (string, error) {
	name, err := store.NormalizeName(name)
	if err != nil {
		return "", err
	}
	_, err = s.LookupUser(ctx, name)
	var unknown *store.NotFound
	switch {
	case err == nil:
		return "", &store.Exists{Object: store.ObjectUser, Name: name}
	case errors.As(err, &unknown):
		return name, nil
	}
	return "", err
}

// projectRoles reads PROJECT=ROLE arguments.
func projectRoles(args []string, mayBeEmpty bool) (map[string]string, error) {
	roles := map[string]string{}
	for _, arg := range args {
		at := strings.LastIndex(arg, "=")
		if at <= 0 || at == len(arg)-1 && !mayBeEmpty {
			return nil, &usageError{fmt.Errorf("--project %q is not PROJECT=ROLE", arg)}
		}
		if _, twice := roles[arg[:at]]; twice {
			return nil, &usageError{fmt.Errorf("--project names %q twice", arg[:at])}
		}
		roles[arg[:at]] = arg[at+1:]
	}
	return roles, nil
}
