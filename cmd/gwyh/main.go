// Command gwyh runs a node as a program, calls such programs, and demonstrates the library. See usage.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	"github.com/gwyh-go/gwyh/cmd/gwyh/internal/cli"
)

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1 // the results were not as they should be
	exitUsage  = 2 // the command line is invalid
)

const usage = `gwyh is gossip between the nodes of a service: a message that is handed to one
node reaches all of them, over encrypted UDP. This program runs a node, talks to
running nodes, and demonstrates the library.

Usage:

	gwyh <command> [flags]

To try it:

	demo       start a cluster on this machine, broadcast, stop nodes, and
	           show how fast a message reaches every node, and at what cost
	sim        run a cluster of any size in virtual time, to plan a real one

To run it:

`

// help returns usage with the commands of package cli and the next steps.
func help() string {
	var b strings.Builder
	b.WriteString(usage)
	for _, c := range cli.Commands {
		fmt.Fprintf(&b, "\t%-9s  %s\n", c.Name, c.Summary)
	}
	b.WriteString("\n\"gwyh <command> -h\" lists the flags of a command.\n")
	return b.String()
}

// A command is one command of the program. run prints problems with the command line or the machine to err, and
// results to out.
type command struct {
	name string
	run  func(ctx context.Context, args []string, out, err io.Writer) int
}

var commands = func() []command {
	all := []command{{"demo", runDemo}, {"sim", runSim}}
	for _, c := range cli.Commands {
		all = append(all, command{c.Name, c.Run})
	}
	return all
}()

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	context.AfterFunc(ctx, stop) // a second interrupt ends the process immediately
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is the program without its process.
func run(ctx context.Context, args []string, out, err io.Writer) int {
	if len(args) == 0 {
		fmt.Fprint(err, help())
		return exitUsage
	}
	switch args[0] {
	case "-h", "-help", "--help", "help":
		fmt.Fprint(out, help())
		return exitOK
	}
	for _, c := range commands {
		if c.name == args[0] {
			return c.run(ctx, args[1:], out, err)
		}
	}
	fmt.Fprintf(err, "gwyh: there is no command %q; \"gwyh -h\" lists them\n", args[0])
	return exitUsage
}

// badUsage prints what is wrong with the command line, or the requested help.
func badUsage(name, help string, problem error, out, err io.Writer) int {
	if errors.Is(problem, flag.ErrHelp) {
		fmt.Fprint(out, help)
		return exitOK
	}
	fmt.Fprintf(err, "gwyh %s: %v\n\"gwyh %s -h\" lists the flags\n", name, problem, name)
	return exitUsage
}
