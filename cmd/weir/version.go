package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is the release. It follows CHANGELOG.md.
const version = "0.1.0"

func newVersion() *cobra.Command {
	var output string
	cmd := &cobra.Command{Use: "version", Short: "Print the version", Args: cobra.NoArgs, Example: "  weir version --output json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			v := map[string]string{"version": version, "go": runtime.Version(), "commit": commit()}
			if output == "json" {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(v)
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "weir %s (%s, commit %s)\n", version, v["go"], v["commit"])
			return err
		}}
	outputFlag(cmd, &output)
	return cmd
}

func commit() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				return s.Value
			}
		}
	}
	return "unknown"
}

// outputFlag adds --output text|json.
func outputFlag(cmd *cobra.Command, output *string) {
	cmd.Flags().StringVar(output, "output", "text", "text or json")
	previous := cmd.PreRunE
	cmd.PreRunE = func(cmd *cobra.Command, args []string) error {
		if *output != "text" && *output != "json" {
			fmt.Fprintf(cmd.ErrOrStderr(), "weir: --output is text or json, not %q\n", *output)
			return exitError(2)
		}
		if previous != nil {
			return previous(cmd, args)
		}
		return nil
	}
}
