// Package cli implements the commands that run an agent, that call one, and that need none.
package cli

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/gwyh-go/gwyh/cmd/gwyh/internal/client"
	"github.com/gwyh-go/gwyh/cmd/gwyh/internal/config"
)

// Exit codes. The doctor has more.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// A Command is one command of the program. It writes results to Out and problems to Err.
type Command struct {
	Name    string
	Summary string
	usage   string // lines of the help between the name and the flags
	run     func(ctx context.Context, s *session) error
	define  func(f *flag.FlagSet, s *session) // adds flags to those of speaks
	speaks  bool                              // the command calls an agent
	least   int                               // minimum number of arguments
	max     int                               // maximum number of arguments; -1 for any number
	direct  func(ctx context.Context, args []string, out, err io.Writer) int
}

// A session is one run of a command.
type session struct {
	args     []string
	out, err io.Writer
	in       io.Reader
	agent    *client.Client
	json     bool
	watch    bool
	text     string // value of a flag that only this command has
	number   int
}

// Run runs the command.
func (c *Command) Run(ctx context.Context, args []string, out, err io.Writer) int {
	if c.direct != nil {
		return c.direct(ctx, args, out, err)
	}
	s := &session{out: out, err: err, in: os.Stdin}
	f := flag.NewFlagSet(c.Name, flag.ContinueOnError)
	f.SetOutput(io.Discard)
	var address, tokenFile string
	if c.speaks {
		f.StringVar(&address, "http", address, "")
		f.StringVar(&tokenFile, "token-file", "", "")
	}
	if c.define != nil {
		c.define(f, s)
	}
	problem := parse(f, args, &s.args)
	switch {
	case errors.Is(problem, flag.ErrHelp):
		_, _ = io.WriteString(out, c.help())
		return exitOK
	case problem == nil && (len(s.args) < c.least || c.max >= 0 && len(s.args) > c.max):
		problem = fmt.Errorf("%s, want %s", count(len(s.args), "argument"), c.wanted())
	}
	if problem != nil {
		_, _ = fmt.Fprintf(err, "gwyh %s: %v\n\"gwyh %s -h\" says how to use it\n", c.Name, problem, c.Name)
		return exitUsage
	}
	if c.speaks {
		var e error
		if s.agent, e = reach(address, tokenFile); e != nil {
			_, _ = fmt.Fprintf(err, "gwyh %s: %v\n", c.Name, e)
			return exitUsage
		}
	}
	switch e := c.run(ctx, s); {
	case e == nil || ctx.Err() != nil && errors.Is(e, context.Canceled):
		return exitOK
	default:
		_, _ = fmt.Fprintf(err, "gwyh %s: %v\n", c.Name, e)
		if _, ok := errors.AsType[usageError](e); ok {
			return exitUsage
		}
		return exitFailed
	}
}

// parse parses flags and arguments in any order, up to "--".
func parse(f *flag.FlagSet, args []string, rest *[]string) error {
	for {
		if err := f.Parse(args); err != nil {
			return err
		}
		if f.NArg() == 0 {
			return nil
		}
		if n := len(args) - f.NArg(); n > 0 && args[n-1] == "--" {
			*rest = append(*rest, f.Args()...)
			return nil
		}
		*rest = append(*rest, f.Arg(0))
		args = f.Args()[1:]
	}
}

// reach returns a client of the agent that the flags or the environment name.
func reach(address, tokenFile string) (*client.Client, error) {
	if address == "" {
		address = os.Getenv("GWYH_HTTP")
	}
	if address == "" {
		address = config.DefaultHTTP
	}
	token := os.Getenv("GWYH_TOKEN")
	if tokenFile != "" {
		b, err := os.ReadFile(tokenFile)
		if err != nil {
			return nil, err
		}
		token = strings.TrimSpace(string(b))
	}
	return client.New(address, token), nil
}

// count formats a number of things in words.
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// A usageError is an error in the command line.
type usageError string

func (e usageError) Error() string { return string(e) }

func (c *Command) wanted() string {
	switch {
	case c.max == 0:
		return "none"
	case c.max < 0:
		return fmt.Sprintf("at least %d", c.least)
	case c.least == c.max:
		return fmt.Sprint(c.max)
	}
	return fmt.Sprintf("%d to %d", c.least, c.max)
}

const speaksUsage = `
	-http HOST:PORT  where the agent serves its API, or a URL (default: the
	                 environment variable GWYH_HTTP, or 127.0.0.1:6970)
	-token-file FILE file with the agent's token (default: the environment
	                 variable GWYH_TOKEN)
`

func (c *Command) help() string {
	text := strings.TrimPrefix(c.usage, "\n")
	if c.speaks {
		if !strings.Contains(text, "Flags:") {
			text += "\nFlags:\n\n"
		}
		text = strings.TrimSuffix(text, "\n") + speaksUsage
	}
	return text
}

// print writes v as JSON if the user wants JSON, otherwise as a table with f.
func (s *session) print(v any, f func(w io.Writer)) error {
	if s.json {
		e := json.NewEncoder(s.out)
		e.SetIndent("", "  ")
		return e.Encode(v)
	}
	w := tabwriter.NewWriter(s.out, 0, 8, 2, ' ', 0)
	f(w)
	return w.Flush()
}

// jsonFlag defines the flag of commands that can write JSON.
func jsonFlag(f *flag.FlagSet, s *session) { f.BoolVar(&s.json, "json", false, "") }

// printable removes characters that would change the terminal from a text that another node chose.
func printable(text string) string {
	quoted := fmt.Sprintf("%q", text)
	if quoted == `"`+text+`"` {
		return text
	}
	return quoted
}

// escaped returns a sentence with an escape in place of each character that would change the terminal. Unlike printable,
// it leaves quotes and backslashes as they are.
func escaped(text string) string {
	quoted := strconv.Quote(text)
	return strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(quoted[1 : len(quoted)-1])
}
