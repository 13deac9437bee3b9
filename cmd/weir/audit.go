package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/weirdb/weir/audit"
)

func newAudit() *cobra.Command {
	cmd := &cobra.Command{Use: "audit", Short: "Verify, search and export the audit journal"}
	cmd.AddCommand(newAuditVerify(), newAuditSearch(), newAuditExport())
	return cmd
}

// journalFlags add --config and --dir, and return the journal's folder.
func journalFlags(cmd *cobra.Command) func() (string, error) {
	var path, dir string
	configFlag(cmd, &path)
	cmd.Flags().StringVar(&dir, "dir", "", "the journal's folder, instead of the one in the configuration")
	return func() (string, error) {
		if dir != "" {
			return dir, nil
		}
		config, faults, err := loadConfig(path)
		if err == nil && len(faults) > 0 {
			err = faults
		}
		if err != nil {
			return "", err
		}
		return journalFolder(config), nil
	}
}

func newAuditVerify() *cobra.Command {
	var c audit.VerifyCommand
	var output string
	cmd := &cobra.Command{Use: "verify", Short: "Find edited, removed, reordered or truncated records", Args: cobra.NoArgs,
		Long: `Verify reads the whole journal, checks the hash chain and the signed checkpoints,
and says where a record was edited, removed, inserted, reordered or cut off.

Exit status: 0 good, 1 tampered, 2 unreadable.`,
		Example: `  weir audit verify --config weir.yaml
  weir audit verify --dir /var/lib/weir/audit --key /safe/signing.pub --output json`}
	folder := journalFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		dir, err := folder()
		if err != nil {
			fmt.Fprintf(cmd.ErrOrStderr(), "weir audit verify: %v\n", err)
			return exitError(audit.ExitUnreadable)
		}
		c.Dir, c.JSON = dir, output == "json"
		return exited(c.Run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr(), progressTo(cmd.ErrOrStderr())))
	}
	cmd.Flags().StringVar(&c.KeyFile, "key", "", "public key to verify with; signing.pub of the journal if not given")
	cmd.Flags().StringSliceVar(&c.OldKeyFiles, "old-key", nil, "public keys of the time before")
	cmd.Flags().StringSliceVar(&c.AnchorFiles, "anchor", nil, "copies of checkpoints.jsonl kept elsewhere")
	outputFlag(cmd, &output)
	return cmd
}

// progressTo shows progress on a terminal only.
func progressTo(w io.Writer) io.Writer {
	f, ok := w.(*os.File)
	if !ok {
		return nil
	}
	if info, err := f.Stat(); err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return nil
	}
	return f
}

func newAuditSearch() *cobra.Command {
	var output string
	cmd := &cobra.Command{Use: "search", Short: "Find records", Args: cobra.NoArgs,
		Example: `  weir audit search --user ana --kind denial --since 24h
  weir audit search --table hr.employees --limit 5 --output json`}
	search(cmd, 100, func() audit.Format { return audit.Format(output) })
	outputFlag(cmd, &output)
	return cmd
}

func newAuditExport() *cobra.Command {
	var format string
	cmd := &cobra.Command{Use: "export", Short: "Write records as JSON lines or CSV", Args: cobra.NoArgs,
		Example: "  weir audit export --since 720h --format csv > last-month.csv"}
	search(cmd, 0, func() audit.Format { return audit.Format(format) })
	cmd.Flags().StringVar(&format, "format", "json", "json or csv")
	return cmd
}

// search makes a command that prints the records that its flags select.
func search(cmd *cobra.Command, limit int, format func() audit.Format) {
	var q audit.Query
	var since time.Duration
	var from, to, decision string
	var kinds []string
	folder := journalFlags(cmd)
	f := cmd.Flags()
	f.StringVar(&q.User, "user", "", "name or id of a user")
	f.StringVar(&q.Session, "session", "", "id of a session")
	f.StringVar(&q.Datasource, "datasource", "", "name of a datasource")
	f.StringVar(&q.Table, "table", "", "table or schema.table that a statement touches")
	f.StringVar(&q.Text, "text", "", "part of a statement's text, in any case")
	f.StringVar(&decision, "decision", "", "allow, deny or observe")
	f.StringSliceVar(&kinds, "kind", nil, "login, login_failed, logout, statement_intent, statement_outcome, denial, administration, policy_change, config_change, journal")
	f.DurationVar(&since, "since", 0, "only the last 30m, 24h, …")
	f.StringVar(&from, "from", "", "first moment, RFC 3339")
	f.StringVar(&to, "to", "", "moment to stop before, RFC 3339")
	f.IntVar(&q.Limit, "limit", limit, "most records; 0 for all")
	f.BoolVar(&q.Newest, "newest", limit > 0, "newest first")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		dir, err := folder()
		if err == nil {
			q.From, err = moment(from)
		}
		if err == nil {
			q.To, err = moment(to)
		}
		if err != nil {
			fmt.Fprintf(cmd.ErrOrStderr(), "weir audit: %v\n", err)
			return exitError(audit.ExitUnreadable)
		}
		if since > 0 {
			q.From = time.Now().Add(-since)
		}
		for _, k := range kinds {
			q.Kinds = append(q.Kinds, audit.Kind(k))
		}
		q.Decision = audit.Decision(decision)
		c := audit.SearchCommand{Dir: filepath.Clean(dir), Query: q, Format: format()}
		return exited(c.Run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr()))
	}
}

func moment(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, fmt.Errorf("%q is not a moment; write it as 2026-01-02T15:04:05Z", text)
	}
	return t, nil
}

func exited(status int) error {
	if status == 0 {
		return nil
	}
	return exitError(status)
}
