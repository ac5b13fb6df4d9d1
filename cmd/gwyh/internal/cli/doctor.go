package cli

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"github.com/gwyh-go/gwyh/cmd/gwyh/internal/client"
	"github.com/gwyh-go/gwyh/cmd/gwyh/internal/config"
	"github.com/gwyh-go/gwyh/cmd/gwyh/internal/doctor"
)

const doctorUsage = `gwyh doctor says why a Join of an address fails. It examines the name, the
route, the port, the handshake, the clocks and the size of datagrams. Finally it
joins and leaves again. Run it on the machine of the node that cannot join.

Usage:

	gwyh doctor [flags] HOST[:PORT]

What the node of this machine has:

	-config FILE     take key, label, port and API from the configuration
	                 of an agent
	-key-file FILE   file with its keys; GWYH_KEY may hold one too
	-label LABEL     its label
	-bind IP[:PORT]  address and port to send from. The default is the
	                 port of the node (6969 without -config), because
	                 firewalls may treat ports differently, or a free
	                 port while the node runs
	-here HOST:PORT  API of the agent on this machine (default: that of
	                 -config, or 127.0.0.1:6970). If it has the port, it is
	                 asked to send from there
	-meta BYTES      size of its metadata (default 0)

What to try and to ask:

	-labels LIST     labels that the other node may have, as in a,b,c
	-api HOST:PORT   API of the other agent, whose log is read; its
	                 token is in GWYH_TOKEN or -token-file
	-token-file FILE file with that token
	-no-join         do not become a member. Otherwise the applications of
	                 the cluster see a node gwyh-doctor-... join and leave
	-json            write the report as JSON

Exit codes:

`

var doctorCommand = &Command{Name: "doctor", Summary: "say why a Join of an address fails", direct: runDoctor}

// doctorHelp returns doctorUsage with the list of faults.
func doctorHelp() string {
	var b strings.Builder
	b.WriteString(doctorUsage)
	_, _ = fmt.Fprintf(&b, "\t%2d  a node of this machine can join\n\t%2d  the command line is invalid\n", exitOK, exitUsage)
	for _, f := range doctor.Faults {
		_, _ = fmt.Fprintf(&b, "\t%2d  %s\n", f.Code, f.Name)
	}
	return b.String()
}

func runDoctor(ctx context.Context, args []string, out, err io.Writer) int {
	c, asJSON, problem := parseDoctor(args)
	switch {
	case errors.Is(problem, flag.ErrHelp):
		_, _ = io.WriteString(out, doctorHelp())
		return exitOK
	case problem != nil:
		_, _ = fmt.Fprintf(err, "gwyh doctor: %v\n\"gwyh doctor -h\" says how to use it\n", problem)
		return exitUsage
	}
	s := &session{out: out, json: asJSON}
	if !asJSON {
		c.OnStep = func(step doctor.Step) {
			_, _ = fmt.Fprintf(out, "%-8s  %s: %s\n", step.Outcome, step.Name, step.Text)
		}
	}
	r := doctor.Examine(ctx, c)
	if asJSON {
		_ = s.print(r, nil)
	} else if r.Fault != nil {
		_, _ = fmt.Fprintf(out, "\nFault: %s\n%s\n", r.Fault.Name, r.Fault.Advice)
	} else {
		_, _ = fmt.Fprintln(out, "\nNo fault found.")
		for _, what := range r.Untested {
			_, _ = fmt.Fprintf(out, "Not tested: %s.\n", what)
		}
	}
	if ctx.Err() != nil {
		return exitFailed
	}
	if r.Fault != nil {
		return r.Fault.Code
	}
	return exitOK
}

// parseDoctor parses the flags. Flags that agents have too are parsed as for an agent.
func parseDoctor(args []string) (c *doctor.Config, asJSON bool, err error) {
	c = &doctor.Config{}
	f := flag.NewFlagSet("doctor", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	node := []string{"-insecure", "-http", ""}
	for _, name := range []string{"config", "key", "key-file", "label"} {
		f.Func(name, "", func(v string) error { node = append(node, "-"+name, v); return nil })
	}
	bind := f.String("bind", "", "")
	f.IntVar(&c.Meta, "meta", 0, "")
	labels := f.String("labels", "", "")
	api := f.String("api", "", "")
	here := f.String("here", "", "")
	tokenFile := f.String("token-file", "", "")
	f.BoolVar(&c.NoJoin, "no-join", false, "")
	f.BoolVar(&asJSON, "json", false, "")
	var rest []string
	if err := parse(f, args, &rest); err != nil {
		return nil, false, err
	}
	if len(rest) != 1 {
		return nil, false, fmt.Errorf("%d arguments, want one address", len(rest))
	}
	c.Target = rest[0]
	own, err := config.Parse(node, func(name string) string {
		if name == "GWYH_TOKEN" { // the token is that of the other agent
			return ""
		}
		return os.Getenv(name)
	})
	if err != nil {
		return nil, false, err
	}
	c.Keys, c.Label = own.Keys, own.Label
	c.Node, c.Here = nodeAddress(own.Bind), localAgent(node[3:], *here)
	if c.Meta < 0 || c.Meta > 32<<10 {
		return nil, false, fmt.Errorf("-meta %d, want 0 to %d", c.Meta, 32<<10)
	}
	if c.Local, err = localAddress(*bind); err != nil {
		return nil, false, err
	}
	for l := range strings.SplitSeq(*labels, ",") {
		if l = strings.TrimSpace(l); l != "" {
			c.Labels = append(c.Labels, l)
		}
	}
	if *api != "" {
		if c.Agent, err = reach(*api, *tokenFile); err != nil {
			return nil, false, err
		}
	}
	return c, asJSON, nil
}

// localAgent returns a client of the agent on this machine. flags are those of its configuration, and address is its API, empty
// for that of the configuration. A wrong address or token is seen when the agent is asked, which is seldom necessary.
func localAgent(flags []string, address string) *client.Client {
	token, configured := os.Getenv("GWYH_TOKEN"), config.DefaultHTTP
	if c, err := config.Parse(append([]string{"-insecure"}, flags...), os.Getenv); err == nil {
		token, configured = c.Token, cmp.Or(c.HTTP, configured)
	}
	return client.New(cmp.Or(address, configured), token)
}

// nodeAddress returns where a node with the option bind listens: the address is the zero Addr for all addresses, and for a
// name.
func nodeAddress(bind string) netip.AddrPort {
	host, port, _ := net.SplitHostPort(bind) // the configuration was checked
	number, _ := strconv.ParseUint(port, 10, 16)
	ip, err := netip.ParseAddr(host)
	if err != nil || ip.IsUnspecified() {
		ip = netip.Addr{}
	}
	return netip.AddrPortFrom(ip, uint16(number))
}

// localAddress parses an address with an optional port. An empty text means any address.
func localAddress(text string) (netip.AddrPort, error) {
	if text == "" {
		return netip.AddrPort{}, nil
	}
	if ip, err := netip.ParseAddr(strings.Trim(text, "[]")); err == nil {
		return netip.AddrPortFrom(ip, 0), nil
	}
	at, err := netip.ParseAddrPort(text)
	if err != nil {
		return at, fmt.Errorf("-bind %q, want an IP address with or without a port", text)
	}
	return at, nil
}
