package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/weirdb/weir/configs"
)

// configFlag adds --config.
func configFlag(cmd *cobra.Command, path *string) {
	cmd.Flags().StringVarP(path, "config", "c", "/etc/weir/weir.yaml", "configuration file")
}

func newCheck() *cobra.Command {
	var path, output string
	var schema bool
	cmd := &cobra.Command{Use: "check", Short: "Check the configuration and the policy it names", Args: cobra.NoArgs,
		Long: `Check reads the configuration and loads the policy that it names, and reports
every fault with its line and how to mend it. It connects to nothing.`,
		Example: `  weir check --config weir.yaml
  weir check --schema > weir.schema.json   # for editors`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			out := cmd.OutOrStdout()
			if schema {
				return writeJSON(out, configs.Schema())
			}
			config, faults, err := loadConfig(path)
			if err != nil {
				return err
			}
			if len(faults) == 0 {
				if faults, err = checkPolicy(cmd.Context(), path, config); err != nil {
					return err
				}
			}
			return reportFaults(out, path, faults, output)
		}}
	configFlag(cmd, &path)
	outputFlag(cmd, &output)
	cmd.Flags().BoolVar(&schema, "schema", false, "print the JSON Schema of the configuration")
	return cmd
}

// checkPolicy compiles the policy.
func checkPolicy(ctx context.Context, path string, config *configs.Config) (configs.Faults, error) {
	resolver, err := newResolver(config, nil)
	if err != nil {
		return configs.Faults{{File: path, Path: "secrets", Message: err.Error()}}, nil
	}
	if _, err := outsideSources(config, resolver); err != nil {
		return configs.Faults{{File: path, Path: "auth.sources", Message: err.Error()}}, resolver.Close()
	}
	engine, err := openPolicy(ctx, config, resolver, nil, nil)
	if err != nil {
		return configs.Faults{{File: path, Path: "policy", Message: err.Error()}}, resolver.Close()
	}
	return nil, errors.Join(engine.Close(), resolver.Close())
}

// loadConfig tells faults of the file from failures to read it.
func loadConfig(path string) (*configs.Config, configs.Faults, error) {
	config, err := configs.Load(path)
	var faults configs.Faults
	if errors.As(err, &faults) {
		return nil, faults, nil
	}
	return config, nil, err
}

func reportFaults(out io.Writer, path string, faults configs.Faults, output string) error {
	if output == "json" {
		if faults == nil {
			faults = configs.Faults{}
		}
		if err := writeJSON(out, map[string]any{"ok": len(faults) == 0, "faults": faults}); err != nil {
			return err
		}
	} else if len(faults) == 0 {
		fmt.Fprintf(out, "%s: good\n", path)
	} else {
		fmt.Fprintln(out, faults.Error())
	}
	if len(faults) > 0 {
		return exitError(1)
	}
	return nil
}

func writeJSON(out io.Writer, value any) error {
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}
