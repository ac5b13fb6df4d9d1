package config

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gwyh-go/gwyh"
	"github.com/gwyh-go/gwyh/cmd/gwyh/internal/handler"
	"github.com/gwyh-go/gwyh/discover"
)

// An option is one setting. Its name is the name of the flag and the key in a file.
type option struct {
	name string
	arg  string // placeholder of the value in the help; empty for a switch
	help string // one or two sentences
	list bool   // values accumulate; otherwise the last one wins
	set  func(c *Config, value string) error
}

// groups are the options in the order of the help.
var groups = []struct {
	title   string
	options []option
}{
	{"The node:", []option{
		text("name", "NAME", "name of the node, unique in the cluster (default: the host name)", func(c *Config) *string { return &c.Name }),
		{name: "bind", arg: "HOST[:PORT]", help: "UDP address to listen on; an IP address alone means port 6969 (default 0.0.0.0:6969)", set: setBind},
		text("advertise", "IP[:PORT]", "address at which other nodes reach this one, if it is not the bound one, as behind a NAT with a port mapping", func(c *Config) *string { return &c.Advertise }),
		{name: "join", arg: "ADDR", list: true, help: "address of a member, or several separated by commas; if none is reached, the agent tries again in the background",
			set: func(c *Config, v string) error { c.Join = append(c.Join, fields(v)...); return nil }},
		{name: "discover", arg: "URL", list: true, help: "look for other nodes here, again and again: dns://HOST:PORT, srv://NAME, k8s://NAMESPACE/SERVICE or file:///PATH",
			set: func(c *Config, v string) error {
				s, err := discover.Parse(v)
				c.Discover = append(c.Discover, s)
				return err
			}},
		text("peers-file", "FILE", "remember the members in this file, and join them after a restart", func(c *Config) *string { return &c.PeersFile }),
		text("zone", "ZONE", "failure domain of the node, such as a data center", func(c *Config) *string { return &c.Zone }),
		{name: "strategy", arg: "S", help: "how zones affect the choice of links: uniform, hub, local, remote or nearest (default uniform)", set: setStrategy},
		{name: "profile", arg: "P", help: "timing: lan, wan or local (default lan)", set: oneOf(func(c *Config) *string { return &c.Profile }, "lan", "wan", "local")},
		{name: "beacon-interval", arg: "DURATION", help: "send a beacon this often, by which the other nodes measure how long gossip takes, 1s to 5m (default: none)", set: setBeacon},
		{name: "meta", arg: "TEXT", help: "metadata that the other nodes see", set: func(c *Config, v string) error { c.Meta = []byte(v); return nil }},
	}},
	{"Who may be a member:", []option{
		{name: "key", arg: "KEY", list: true, help: "key of the cluster in base64, as `gwyh keygen` prints it, or text:... for the bytes as they are; given up to four times, the first is the primary one. Others can see it in the list of processes: prefer key-file or the environment variable GWYH_KEY", set: addKey},
		{name: "key-file", arg: "FILE", list: true, help: "file with one key per line", set: addKeyFile},
		flag("insecure", "run with the well-known default key if there is no key", func(c *Config) *bool { return &c.Insecure }),
		text("label", "LABEL", "name of the cluster; nodes with different labels never join", func(c *Config) *string { return &c.Label }),
		{name: "allow", arg: "CIDR", list: true, help: "network that members may come from (default: all)", set: addNetwork},
		{name: "max-members", arg: "N", help: "accept no further node if there are N members (default: no limit)", set: number(func(c *Config) *int { return &c.MaxNodes }, 1, 100_000)},
	}},
	{"HTTP API:", []option{
		text("http", "HOST:PORT", "address of the API and the status page, empty for none (default "+DefaultHTTP+")", func(c *Config) *string { return &c.HTTP }),
		text("token", "TOKEN", "required of each request; needed if http is not a loopback address. Prefer token-file or GWYH_TOKEN", func(c *Config) *string { return &c.Token }),
		{name: "token-file", arg: "FILE", help: "file with the token", set: setTokenFile},
	}},
	{"Event handlers:", []option{
		{name: "handler", arg: "EVENTS=COMMAND", list: true, help: "run a command of the shell for events. EVENTS is a list of member-join, member-leave, member-failed, member-update, message, message:NAME, or * for all; see docs/AGENT.md", set: addHandler},
		{name: "handler-timeout", arg: "DURATION", help: "end a command that takes longer (default 1m)", set: setTimeout},
	}},
	{"Log, to standard error:", []option{
		{name: "log-level", arg: "LEVEL", help: "debug, info, warn or error (default info)", set: oneOf(func(c *Config) *string { return &c.LogLevel }, "debug", "info", "warn", "error")},
		flag("log-json", "write JSON", func(c *Config) *bool { return &c.LogJSON }),
	}},
	{"Other:", []option{
		{name: "demo", arg: "N", help: "run N nodes on loopback in this process, 2 to 100, to look at the page and the commands", set: number(func(c *Config) *int { return &c.Demo }, 2, 100)},
	}},
}

// secrets maps environment variables to the options that they set.
var secrets = map[string]string{"GWYH_KEY": "key", "GWYH_TOKEN": "token"}

// find returns the option with a name, or nil.
func find(name string) *option {
	for _, g := range groups {
		for i := range g.options {
			if g.options[i].name == name {
				return &g.options[i]
			}
		}
	}
	return nil
}

// boolean reports whether an option is a switch.
func (o *option) boolean() bool { return o.arg == "" }

func text(name, arg, help string, field func(*Config) *string) option {
	return option{name: name, arg: arg, help: help, set: func(c *Config, v string) error { *field(c) = v; return nil }}
}

// setBind adds the default port to an IP address.
func setBind(c *Config, v string) error {
	if ip := net.ParseIP(strings.Trim(v, "[]")); ip != nil {
		v = net.JoinHostPort(ip.String(), strconv.Itoa(gwyh.DefaultPort))
	}
	c.Bind = v
	return nil
}

func flag(name, help string, field func(*Config) *bool) option {
	return option{name: name, help: help, set: func(c *Config, v string) error {
		b, err := strconv.ParseBool(v)
		if err != nil {
			return fmt.Errorf("%q, want true or false", v)
		}
		*field(c) = b
		return nil
	}}
}

func number(field func(*Config) *int, lower, upper int) func(*Config, string) error {
	return func(c *Config, v string) error {
		n, err := strconv.Atoi(v)
		if err != nil || n < lower || n > upper {
			return fmt.Errorf("%q, want %d to %d", v, lower, upper)
		}
		*field(c) = n
		return nil
	}
}

func oneOf(field func(*Config) *string, values ...string) func(*Config, string) error {
	return func(c *Config, v string) error {
		if !slices.Contains(values, v) {
			return fmt.Errorf("%q, want one of %s", v, strings.Join(values, ", "))
		}
		*field(c) = v
		return nil
	}
}

// Strategies maps the names on the command line to the distribution strategies.
var Strategies = map[string]gwyh.DistributionStrategy{
	"uniform": gwyh.Uniform, "hub": gwyh.HubAndSpoke, "local": gwyh.PreferLocal, "remote": gwyh.PreferRemote, "nearest": gwyh.Nearest,
}

func setStrategy(c *Config, v string) error {
	s, ok := Strategies[v]
	if !ok {
		return fmt.Errorf("%q, want one of uniform, hub, local, remote, nearest", v)
	}
	c.Strategy = s
	return nil
}

// addKey adds keys that are separated by commas, which base64 never contains. Its error shows no key.
func addKey(c *Config, v string) error {
	parts := []string{v}
	if !strings.HasPrefix(v, "text:") {
		parts = fields(v)
	}
	for _, p := range parts {
		key, err := ParseKey(p)
		if err != nil {
			return err
		}
		c.Keys = append(c.Keys, key)
	}
	return nil
}

func addKeyFile(c *Config, path string) error {
	lines, err := readSecrets(path)
	if err != nil {
		return err
	}
	for i, line := range lines {
		if err := addKey(c, line); err != nil {
			return fmt.Errorf("%s, key %d: %w", path, i+1, err)
		}
	}
	return nil
}

func setTokenFile(c *Config, path string) error {
	lines, err := readSecrets(path)
	if err != nil {
		return err
	}
	c.Token = lines[0]
	return nil
}

func addNetwork(c *Config, v string) error {
	nets, err := gwyh.ParseCIDRs(fields(v))
	c.Allow = append(c.Allow, nets...)
	return err
}

func addHandler(c *Config, v string) error {
	h, err := handler.Parse(v)
	if err != nil {
		return err
	}
	c.Handlers = append(c.Handlers, h)
	return nil
}

func setTimeout(c *Config, v string) error {
	d, err := time.ParseDuration(v)
	if err != nil || d <= 0 {
		return fmt.Errorf("%q, want a duration such as 30s", v)
	}
	c.HandlerTimeout = d
	return nil
}

func setBeacon(c *Config, v string) error {
	d, err := time.ParseDuration(v)
	if err != nil || d < time.Second || d > 5*time.Minute {
		return fmt.Errorf("%q, want a duration from 1s to 5m", v)
	}
	c.BeaconInterval = d
	return nil
}

// fields splits a list at commas.
func fields(v string) (parts []string) {
	for p := range strings.SplitSeq(v, ",") {
		if p = strings.TrimSpace(p); p != "" {
			parts = append(parts, p)
		}
	}
	return parts
}
