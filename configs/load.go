package configs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxFile bounds the configuration file, in bytes.
const maxFile = 4 << 20

// Fault is one thing wrong with a configuration.
type Fault struct {
	File    string `json:"file"`
	Line    int    `json:"line"` // from 1; 0 where no line is to blame
	Path    string `json:"path"` // listeners[0].tls.key
	Message string `json:"message"`
}

func (f Fault) String() string {
	if f.Line == 0 {
		return fmt.Sprintf("%s: %s", f.File, f.Message)
	}
	return fmt.Sprintf("%s:%d: %s", f.File, f.Line, f.Message)
}

// Faults is the error of a configuration: everything that is wrong with it,
// in line order.
type Faults []Fault

func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i := range f {
		lines[i] = f[i].String()
	}
	return strings.Join(lines, "\n")
}

// Load reads and validates a file. The error is Faults unless the file cannot be read.
func Load(path string) (*Config, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	return Parse(path, text)
}

// Parse reads and validates a text. name stands for the file in messages.
func Parse(name string, text []byte) (*Config, error) {
	c := Default()
	d := &decoder{lines: map[string]int{}}
	d.document(text, c)
	if len(d.faults) == 0 {
		v := &validator{lines: d.lines}
		v.config(c)
		d.faults = v.faults
	}
	if len(d.faults) == 0 {
		return c, nil
	}
	for i := range d.faults {
		d.faults[i].File = name
	}
	slices.SortStableFunc(d.faults, func(a, b Fault) int { return a.Line - b.Line })
	return nil, d.faults
}

// Default is a configuration with every default set. It is not valid by
// itself: listeners and datasources have none.
func Default() *Config {
	c := &Config{}
	setDefaults(reflect.ValueOf(c).Elem())
	return c
}

func (d *decoder) document(text []byte, c *Config) {
	if len(text) > maxFile {
		d.fault(0, "", "the file is larger than 4 MiB")
		return
	}
	reader := yaml.NewDecoder(bytes.NewReader(text))
	var document yaml.Node
	if err := reader.Decode(&document); err != nil {
		if errors.Is(err, io.EOF) {
			d.fault(0, "", "the file is empty; configs/weir.example.yaml is a commented example")
			return
		}
		d.syntax(err)
		return
	}
	d.value(document.Content[0], reflect.ValueOf(c).Elem(), "", nil)
	if err := reader.Decode(&yaml.Node{}); !errors.Is(err, io.EOF) {
		d.fault(0, "", "the file holds more than one document; remove the --- line")
	}
}

func (d *decoder) syntax(err error) {
	line := 0
	message := strings.TrimPrefix(err.Error(), "yaml: ")
	if _, scanErr := fmt.Sscanf(message, "line %d:", &line); scanErr == nil {
		_, message, _ = strings.Cut(message, ": ")
	}
	d.fault(line, "", "not YAML: %s", message)
}
