package config

import (
	stdflag "flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"
	"go.yaml.in/yaml/v3"
)

// A setting is one value of one option.
type setting struct{ name, value string }

// Parse returns the configuration from the command line arguments, the files that they name and the environment.
// Files apply first, in order, then the environment, then the other arguments. Values of lists accumulate; otherwise
// the last value wins. An error names the option, its value and the accepted values, and never shows a secret.
func Parse(args []string, getenv func(string) string) (*Config, error) {
	files, given, err := arguments(args)
	if err != nil {
		return nil, fmt.Errorf("%w; \"gwyh agent -h\" lists the options", err)
	}
	c := Default()
	for _, path := range files {
		if err := c.read(path); err != nil {
			return nil, err
		}
	}
	for _, variable := range slices.Sorted(maps.Keys(secrets)) {
		if v := getenv(variable); v != "" {
			if err := c.apply(setting{secrets[variable], v}); err != nil {
				return nil, fmt.Errorf("%s: %w", variable, err)
			}
		}
	}
	for _, s := range given {
		if err := c.apply(s); err != nil {
			return nil, fmt.Errorf("-%s: %w", s.name, err)
		}
	}
	return c, c.check()
}

func (c *Config) apply(s setting) error {
	o := find(s.name)
	if o == nil {
		return fmt.Errorf("there is no such option; \"gwyh agent -h\" lists the options")
	}
	return o.set(c, s.value)
}

// arguments returns the configuration files and the settings of a command line, each in order.
func arguments(args []string) (files []string, given []setting, err error) {
	fs := stdflag.NewFlagSet("agent", stdflag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.Func("config", "", func(v string) error { files = append(files, v); return nil })
	for _, g := range groups {
		for _, o := range g.options {
			add := func(v string) error { given = append(given, setting{o.name, v}); return nil }
			if o.boolean() {
				fs.BoolFunc(o.name, "", add)
			} else {
				fs.Func(o.name, "", add)
			}
		}
	}
	if err := fs.Parse(args); err != nil {
		return nil, nil, err
	}
	if fs.NArg() > 0 {
		return nil, nil, fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	return files, given, nil
}

// read applies a file, or all *.toml, *.yaml and *.yml files of a directory in the order of their names.
func (c *Config) read(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return c.readFile(path)
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if decoder(e.Name()) != nil {
			if err := c.readFile(filepath.Join(path, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// fileMax bounds the bytes of a file.
const fileMax = 1 << 20

// decoder returns the decoder for a file name, or nil if there is none.
func decoder(name string) func([]byte, any) error {
	switch filepath.Ext(name) {
	case ".toml":
		return toml.Unmarshal
	case ".yaml", ".yml":
		return yaml.Unmarshal
	}
	return nil
}

func (c *Config) readFile(path string) error {
	decode := decoder(path)
	if decode == nil {
		return fmt.Errorf("%s: want a file whose name ends in .toml, .yaml or .yml", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(io.LimitReader(f, fileMax+1))
	if err != nil {
		return err
	}
	if len(b) > fileMax {
		return fmt.Errorf("%s has more than %d bytes", path, fileMax)
	}
	values := map[string]any{}
	if err := decode(b, &values); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names) // so that the same file always gives the same error
	for _, name := range names {
		texts, err := scalars(name, values[name])
		if err != nil {
			return fmt.Errorf("%s: %s: %w", path, name, err)
		}
		for _, v := range texts {
			if err := c.apply(setting{name, v}); err != nil {
				return fmt.Errorf("%s: %s: %w", path, name, err)
			}
		}
	}
	return nil
}

// scalars returns the values of an option in a file, in the form of the command line.
func scalars(name string, v any) ([]string, error) {
	switch v := v.(type) {
	case string:
		return []string{v}, nil
	case bool:
		return []string{strconv.FormatBool(v)}, nil
	case int:
		return []string{strconv.Itoa(v)}, nil
	case int64:
		return []string{strconv.FormatInt(v, 10)}, nil
	case []any:
		if o := find(name); o != nil && !o.list {
			return nil, fmt.Errorf("a list, want one value")
		}
		var all []string
		for _, x := range v {
			if _, nested := x.([]any); nested {
				return nil, fmt.Errorf("a list within a list")
			}
			texts, err := scalars(name, x)
			if err != nil {
				return nil, err
			}
			all = append(all, texts...)
		}
		return all, nil
	}
	return nil, fmt.Errorf("a %T, want a text, a number, true, false or a list", v)
}

// Usage returns the help for the options.
func Usage() string {
	var b strings.Builder
	for _, g := range groups {
		fmt.Fprintf(&b, "\n%s\n\n", g.title)
		for _, o := range g.options {
			head := "-" + o.name
			if o.arg != "" {
				head += " " + o.arg
			}
			lines := wrap(o.help, 80-22)
			if len(head) > 18 {
				fmt.Fprintf(&b, "  %s\n", head)
				head = ""
			}
			for _, line := range lines {
				fmt.Fprintf(&b, "  %-18s  %s\n", head, line)
				head = ""
			}
		}
	}
	return b.String()
}

// wrap breaks a text into lines of at most width bytes.
func wrap(text string, width int) (lines []string) {
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}

// Names returns the names of all options.
func Names() (names []string) {
	for _, g := range groups {
		for _, o := range g.options {
			names = append(names, o.name)
		}
	}
	return names
}
