// Command gossipbench runs gossip libraries side by side on loopback. See ../../README.md.
package main

import (
	"fmt"
	"os"

	"github.com/gwyh-go/gwyh/bench/adapter"
)

const usage = `usage: gossipbench list
       gossipbench run -adapter NAME -n NODES [-tests idle,latency] ...   one run, one line of JSON
       gossipbench suite -plan FILE -rounds N -out FILE ...               runs of a plan, then the tables
       gossipbench report FILE...                                         the tables
       gossipbench plot -data DIR -out DIR                                the charts of docs/PERFORMANCE.md
`

func main() {
	if err := command(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "gossipbench:", err)
		os.Exit(1)
	}
}

func command(args []string) error {
	if len(args) == 0 {
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	switch name, args := args[0], args[1:]; name {
	case "list":
		for _, s := range adapter.All() {
			fmt.Printf("%-18s %s\n", s.Name, s.Note)
		}
		return nil
	case "run":
		return run(args)
	case "suite":
		return suite(args)
	case "report":
		return report(os.Stdout, args)
	case "plot":
		return plots(args)
	default:
		return fmt.Errorf("no command %q\n%s", name, usage)
	}
}
