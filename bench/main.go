// Command bench compares weir with a direct connection, HAProxy in TCP mode and,
// for PostgreSQL, PgBouncer in session mode, side by side on this machine, and
// prints ratios.
//
// Each measurement runs in turn through every system, several rounds; the
// figure is the median. Clients use TLS and SCRAM everywhere; PgBouncer and
// weir reach the server over loopback in clear.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var o options
	flag.IntVar(&o.rounds, "rounds", 3, "runs of each measurement through each system")
	flag.DurationVar(&o.duration, "duration", 5*time.Second, "length of one pgbench run")
	flag.IntVar(&o.rows, "rows", 1_000_000, "rows of the wide result")
	flag.IntVar(&o.scale, "scale", 10, "pgbench's scale")
	only := flag.String("run", "", "only measurements whose name matches this pattern")
	flag.StringVar(&o.weir, "weir", "bin/weir", "the weir to measure")
	flag.Parse()
	var err error
	if o.only, err = regexp.Compile(*only); err != nil {
		fmt.Fprintln(os.Stderr, "bench: -run:", err)
		os.Exit(2)
	}
	if err := run(ctx, o, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

type options struct {
	rounds, rows, scale int
	duration            time.Duration
	only                *regexp.Regexp
	weir                string
}

// measurement is one kind of work.
type measurement struct {
	name, unit string
	higher     bool // is better
	// through lists the systems that it runs through, the yardstick first.
	through []string
	run     func(ctx context.Context, w *world, system string) (float64, error)
}

func run(ctx context.Context, o options, out io.Writer) error {
	w, err := startWorld(ctx, o, os.Stderr)
	if err != nil {
		return err
	}
	defer w.stop()
	for _, m := range measurements(o) {
		if !o.only.MatchString(m.name) {
			continue
		}
		figures := map[string][]float64{}
		for round := range o.rounds {
			for _, system := range m.through {
				fmt.Fprintf(os.Stderr, "\r\033[K%s: round %d of %d, %s", m.name, round+1, o.rounds, system)
				figure, err := m.run(ctx, w, system)
				if err != nil {
					return fmt.Errorf("%s through %s: %w", m.name, system, err)
				}
				figures[system] = append(figures[system], figure)
			}
		}
		fmt.Fprint(os.Stderr, "\r\033[K")
		report(out, m, figures)
	}
	return nil
}

func measurements(o options) []measurement {
	all := []string{"direct", "haproxy", "pgbouncer", "weir"}
	var list []measurement
	for _, protocol := range []string{"prepared", "simple"} {
		for _, clients := range []int{1, 16} {
			list = append(list, measurement{
				name: fmt.Sprintf("pgbench select-only, %s, %d clients", protocol, clients), unit: "tps", higher: true, through: all,
				run: func(ctx context.Context, w *world, system string) (float64, error) {
					return w.pgbench(ctx, system, protocol, clients)
				}})
		}
	}
	wide := func(masked bool) func(context.Context, *world, string) (float64, error) {
		return func(ctx context.Context, w *world, system string) (float64, error) {
			return w.wide(ctx, system, masked)
		}
	}
	for _, program := range []string{"oltp_point_select", "oltp_read_write"} {
		for _, threads := range []int{1, 16} {
			list = append(list, measurement{
				name: fmt.Sprintf("sysbench %s on MariaDB, %d threads", program, threads), unit: "tps", higher: true, through: []string{"direct", "haproxy", "weir"},
				run: func(ctx context.Context, w *world, system string) (float64, error) {
					return w.oltp(ctx, system, program, threads)
				}})
		}
	}
	return append(list,
		measurement{name: fmt.Sprintf("%d rows of 10 columns", o.rows), unit: "MB/s", higher: true, through: all, run: wide(false)},
		measurement{name: "the same, three columns masked", unit: "MB/s", higher: true, through: []string{"weir", "weir-masked"},
			run: func(ctx context.Context, w *world, system string) (float64, error) {
				return w.wide(ctx, "weir", system == "weir-masked")
			}})
}

func report(out io.Writer, m measurement, figures map[string][]float64) {
	fmt.Fprintf(out, "%s\n", m.name)
	base := median(figures[m.through[0]])
	for _, system := range m.through {
		f := figures[system]
		line := fmt.Sprintf("  %-12s %10.0f %s  (%.0f to %.0f)", system, median(f), m.unit, slices.Min(f), slices.Max(f))
		if system != m.through[0] {
			line += fmt.Sprintf("  %.2fx %s", median(f)/base, m.through[0])
		}
		for _, peer := range []string{"pgbouncer", "haproxy"} {
			if p := figures[peer]; system == "weir" && p != nil {
				line += fmt.Sprintf("  %.2fx %s", median(f)/median(p), peer)
			}
		}
		fmt.Fprintln(out, strings.TrimRight(line, " "))
	}
}

func median(f []float64) float64 {
	s := slices.Sorted(slices.Values(f))
	return s[len(s)/2]
}
