package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/weirdb/weir/auth"
	"github.com/weirdb/weir/protocol/mywire"
	"github.com/weirdb/weir/store"
)

// passwordFlags say where a new password comes from.
type passwordFlags struct {
	stdin, generate, none bool
}

func (f *passwordFlags) register(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.stdin, "password-stdin", false, "read the password from the first line of standard input")
	cmd.Flags().BoolVar(&f.generate, "generate", false, "generate a strong password and print it once")
	cmd.Flags().BoolVar(&f.none, "no-password", false, "no password login (certificate only)")
}

// newPassword is a verifier, and the password if weir made it up.
type newPassword struct {
	verifier  store.Secret
	generated string
}

// read takes a password and makes what is kept of it, also for MySQL's plugins.
// The user may be one whose keys have to go on.
func (f *passwordFlags) read(cmd *cobra.Command, user string, s *accounts) (newPassword, error) {
	var result newPassword
	var password string
	var err error
	switch {
	case f.stdin && f.generate || f.stdin && f.none || f.generate && f.none:
		return result, &usageError{errors.New("give one of --password-stdin, --generate and --no-password")}
	case f.none:
		return result, nil
	case f.generate:
		password = auth.GeneratePassword()
		result.generated = password
	case f.stdin:
		password, err = passwordFromLine(cmd.InOrStdin())
	default:
		password, err = passwordFromTerminal(cmd, user)
	}
	if err != nil {
		return result, err
	}
	if err := auth.CheckPassword(user, password); err != nil {
		return result, err
	}
	result.verifier, err = s.verifier(cmd.Context(), user, password)
	return result, err
}

// verifier makes what is kept of a user's password or other secret, with the salt
// that the user's other secrets have.
func (a *accounts) verifier(ctx context.Context, user, password string) (store.Secret, error) {
	mock, err := a.MockSecret(ctx)
	if err != nil {
		return "", err
	}
	authenticator, err := auth.New(a.Store, mock, auth.Options{})
	if err != nil {
		return "", err
	}
	like, err := authenticator.Like(ctx, user)
	if err != nil {
		return "", err
	}
	verifier, err := auth.SaltedVerifier(password, like)
	if err != nil {
		return "", err
	}
	return auth.EncodeVerifiers(verifier, keptFor(password, a.plugins)), nil
}

// keptFor makes the verifiers that plugins need beside SCRAM's.
func keptFor(password string, plugins []string) map[string][]byte {
	kept := map[string][]byte{}
	for _, plugin := range plugins {
		switch plugin {
		case mywire.PluginNative:
			kept[plugin] = mywire.NativeVerifier(password)
		case mywire.PluginEd25519:
			kept[plugin] = mywire.Ed25519Verifier(password)
		}
	}
	return kept
}

// passwordFromLine reads one line; its end (LF or CRLF) is not part of it.
func passwordFromLine(r io.Reader) (string, error) {
	line, err := bufio.NewReader(io.LimitReader(r, auth.MaxPassword+3)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read password: %w", err)
	}
	return strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r"), nil
}

// passwordFromTerminal asks twice, without echo.
func passwordFromTerminal(cmd *cobra.Command, user string) (string, error) {
	file, ok := cmd.InOrStdin().(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return "", &usageError{errors.New("standard input is no terminal: use --password-stdin or --generate")}
	}
	ask := func(prompt string) (string, error) { return askHidden(cmd, file, prompt) }
	first, err := ask(fmt.Sprintf("New password for %s (at least %d characters): ", user, auth.MinPassword))
	if err != nil {
		return "", err
	}
	if err := auth.CheckPassword(user, first); err != nil { // before asking again
		return "", err
	}
	second, err := ask("Once more: ")
	if err != nil {
		return "", err
	}
	if first != second {
		return "", &usageError{errors.New("the two passwords differ")}
	}
	return first, nil
}

// askPassword asks once, without echo.
func askPassword(cmd *cobra.Command, user string) (string, error) {
	file, ok := cmd.InOrStdin().(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return "", &usageError{errors.New("standard input is no terminal: use --password-stdin")}
	}
	return askHidden(cmd, file, "Password of "+user+": ")
}

func askHidden(cmd *cobra.Command, terminal *os.File, prompt string) (string, error) {
	fmt.Fprint(cmd.ErrOrStderr(), prompt)
	answer, err := readHidden(cmd.Context(), int(terminal.Fd()))
	fmt.Fprintln(cmd.ErrOrStderr())
	if err != nil {
		return "", fmt.Errorf("read password: %w", err)
	}
	return string(answer), nil
}

// readHidden reads a line without echo, until ctx is done: main turns Ctrl-C
// into that.
func readHidden(ctx context.Context, terminal int) ([]byte, error) {
	before, err := term.GetState(terminal)
	if err != nil {
		return nil, err
	}
	type result struct {
		line []byte
		err  error
	}
	done := make(chan result, 1)
	go func() { // ends with the line, or with the process that Ctrl-C ends
		line, err := term.ReadPassword(terminal)
		done <- result{line, err}
	}()
	select {
	case r := <-done:
		return r.line, r.err
	case <-ctx.Done():
		return nil, errors.Join(ctx.Err(), term.Restore(terminal, before))
	}
}
