package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/gwyh-go/gwyh/cmd/gwyh/internal/doctor"
	"github.com/gwyh-go/gwyh/internal/netns"
	"golang.org/x/sys/unix"
)

// A clinic is two machines at a switch: the agent runs on one, and the doctor on the other.
type clinic struct {
	t             *testing.T
	binary        string
	here, there   *netns.Space
	key, otherKey string // files
}

const agentAt = "10.9.0.2:6969"

// newClinic creates the machines. The switch silently drops frames beyond the MTU.
func newClinic(t *testing.T, binary string, mtu int) *clinic {
	t.Helper()
	c := &clinic{t: t, binary: binary, here: netns.New(t), there: netns.New(t)}
	middle := netns.New(t)
	for i, s := range []*netns.Space{c.here, c.there} {
		port := fmt.Sprint("port", i)
		s.Cable("eth0", middle, port)
		s.Whole("eth0")
		s.Address("eth0", fmt.Sprintf("10.9.0.%d/24", i+1))
		s.Up("eth0")
		middle.MTU(port, mtu)
	}
	middle.Bridge("switch", "port0", "port1")
	for i, path := range []*string{&c.key, &c.otherKey} {
		*path = filepath.Join(t.TempDir(), fmt.Sprint("key", i))
		out, err := exec.CommandContext(t.Context(), binary, "keygen").Output()
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(*path, out, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// agent starts an agent on the other machine.
func (c *clinic) agent(args ...string) *process {
	c.t.Helper()
	var p *process
	_ = c.there.Do(func() error {
		p = launch(c.t, c.binary, append([]string{"-name", "ann", "-bind", agentAt, "-key-file", c.key}, args...)...)
		return nil
	})
	return p
}

// agentHere starts an agent on this machine, at the port that nodes have by default.
func (c *clinic) agentHere(args ...string) {
	c.t.Helper()
	_ = c.here.Do(func() error {
		launch(c.t, c.binary, append([]string{"-name", "bob", "-bind", "10.9.0.1:6969", "-key-file", c.key}, args...)...)
		return nil
	})
}

// drop makes a machine drop UDP at a hook.
func (c *clinic) drop(on *netns.Space, hook *nftables.ChainHook) {
	c.t.Helper()
	c.rule(on, hook)
}

// Offsets of ports in a UDP header.
const (
	sourcePort      = 0
	destinationPort = 2
)

// dropPort makes a machine drop UDP with the agent's port as its source or destination.
func (c *clinic) dropPort(on *netns.Space, hook *nftables.ChainHook, offset uint32) {
	c.t.Helper()
	port := netip.MustParseAddrPort(agentAt).Port()
	c.rule(on, hook,
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: offset, Len: 2},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: binary.BigEndian.AppendUint16(nil, port)})
}

// rule makes a machine drop the UDP packets that match all expressions.
func (c *clinic) rule(on *netns.Space, hook *nftables.ChainHook, matches ...expr.Any) {
	c.t.Helper()
	err := on.Do(func() error {
		nft, err := nftables.New()
		if err != nil {
			return err
		}
		table := nft.AddTable(&nftables.Table{Family: nftables.TableFamilyINet, Name: "test"})
		chain := nft.AddChain(&nftables.Chain{Name: "drop", Table: table, Type: nftables.ChainTypeFilter, Hooknum: hook, Priority: nftables.ChainPriorityFilter})
		exprs := []expr.Any{&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1}, &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{unix.IPPROTO_UDP}}}
		exprs = append(exprs, matches...)
		nft.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: append(exprs, &expr.Verdict{Kind: expr.VerdictDrop})})
		return nft.Flush()
	})
	if err != nil {
		c.t.Fatal(err)
	}
}

// examine runs the doctor on this machine and checks its fault and its output.
func (c *clinic) examine(fault *doctor.Fault, text string, args ...string) {
	c.t.Helper()
	var out []byte
	err := c.here.Do(func() (err error) {
		cmd := exec.CommandContext(c.t.Context(), c.binary, append([]string{"doctor", "-key-file", c.key}, args...)...)
		cmd.Env = append(os.Environ(), "GWYH_TOKEN=secret")
		out, err = cmd.CombinedOutput()
		return err
	})
	want := 0
	if fault != nil {
		want = fault.Code
	}
	code := 0
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		code = e.ExitCode()
	} else if err != nil {
		c.t.Fatal(err)
	}
	if code != want {
		c.t.Errorf("exit code %d, want %d\n%s", code, want, out)
	}
	if fault != nil && !bytes.Contains(out, []byte("\nFault: "+fault.Name+"\n")) {
		c.t.Errorf("want the fault %s\n%s", fault.Name, out)
	}
	if !regexp.MustCompile(text).Match(out) {
		c.t.Errorf("%s\nlacks %q", out, text)
	}
}

func TestDoctorNamesWhatIsWrongOnTheWay(t *testing.T) {
	binary := build(t)
	for name, f := range map[string]func(t *testing.T){
		"nothing": func(t *testing.T) {
			c := newClinic(t, binary, 1500)
			c.agent()
			c.examine(nil, `(?s)route: from 10\.9\.0\.1 to 10\.9\.0\.2:6969, by eth0.*1472 bytes reach.*No fault found`, agentAt)
		},
		"nothing, says the agent too": func(t *testing.T) {
			c := newClinic(t, binary, 1500)
			p := c.agent("-http", "10.9.0.2:0", "-token", "secret")
			c.examine(nil, `view of the other node: the agent there has this node as alive at 10\.9\.0\.1:\d+, and reaches it`, "-api", p.http, agentAt)
		},
		"no route": func(t *testing.T) {
			c := newClinic(t, binary, 1500)
			c.examine(&doctor.NoRoute, "network is unreachable", "10.4.0.1:6969")
		},
		"nobody has the address": func(t *testing.T) {
			c := newClinic(t, binary, 1500)
			c.examine(&doctor.NoRoute, "no route to host", "10.9.0.77:6969")
		},
		"the other firewall drops": func(t *testing.T) {
			c := newClinic(t, binary, 1500)
			c.agent()
			c.drop(c.there, nftables.ChainHookInput)
			c.examine(&doctor.Dropped, "the machine runs .* and none of its UDP ports answers", agentAt)
		},
		"the other firewall drops answers": func(t *testing.T) {
			c := newClinic(t, binary, 1500)
			p := c.agent("-http", "10.9.0.2:0", "-token", "secret")
			c.drop(c.there, nftables.ChainHookOutput)
			c.examine(&doctor.Dropped, "its log does not mention them", "-api", p.http, agentAt)
		},
		"the other firewall drops what the agent's port gets": func(t *testing.T) {
			c := newClinic(t, binary, 1500)
			c.agent()
			c.dropPort(c.there, nftables.ChainHookInput, destinationPort)
			c.examine(&doctor.NoAnswer, "or a firewall drops what this port alone gets or sends", agentAt)
		},
		"the other firewall drops what the agent's port sends": func(t *testing.T) {
			c := newClinic(t, binary, 1500)
			c.agent()
			c.dropPort(c.there, nftables.ChainHookOutput, sourcePort)
			c.examine(&doctor.NoAnswer, "or a firewall drops what this port alone gets or sends", agentAt)
		},
		"the own firewall drops answers": func(t *testing.T) {
			c := newClinic(t, binary, 1500)
			c.agent()
			c.drop(c.here, nftables.ChainHookInput)
			c.examine(&doctor.Dropped, "firewall here: answers of .* arrive at this machine, and its firewall drops them", agentAt)
		},
		"the own firewall drops what the node's port gets": func(t *testing.T) {
			c := newClinic(t, binary, 1500)
			c.agent()
			c.dropPort(c.here, nftables.ChainHookInput, destinationPort)
			c.examine(&doctor.Dropped, "firewall here: answers of .* arrive at this machine, and its firewall drops them", agentAt)
			c.examine(nil, "(?s)port 4000, as those of a node here would.*No fault found", "-bind", "10.9.0.1:4000", agentAt)
		},
		"the own firewall drops what the port of the agent here sends": func(t *testing.T) {
			c := newClinic(t, binary, 1500)
			c.agent()
			c.agentHere("-http", "127.0.0.1:6970")
			c.examine(nil, "(?s)port: UDP port 6969 of this machine is in use.*agent here: the agent here, \"bob\" at 10.9.0.1:6969, gets an answer", agentAt)
			c.dropPort(c.here, nftables.ChainHookInput, destinationPort)
			c.examine(&doctor.Dropped, "agent here: the other node answers this machine's port .*, and not the agent here, \"bob\"", agentAt)
		},
		"the port of the agent here, which cannot be asked": func(t *testing.T) {
			c := newClinic(t, binary, 1500)
			c.agent()
			c.agentHere("-http", "127.0.0.1:6999", "-token", "another")
			c.examine(nil, "(?s)No fault found.*Not tested: UDP port 6969, which the node of this machine uses", agentAt)
		},
		"the own firewall drops what is sent": func(t *testing.T) {
			c := newClinic(t, binary, 1500)
			c.agent()
			c.drop(c.here, nftables.ChainHookOutput)
			c.examine(&doctor.Dropped, "operation not permitted", agentAt)
		},
		"a path of 600 bytes": func(t *testing.T) {
			c := newClinic(t, binary, 600)
			c.agent()
			c.examine(&doctor.NarrowPath, "datagrams of 450 bytes reach the node, those of 1200 bytes do not", agentAt)
		},
		"too many members": func(t *testing.T) {
			c := newClinic(t, binary, 1500)
			c.agent("-max-members", "1")
			c.examine(&doctor.Refused, "the number of members is 1, and max-members allows no more", agentAt)
		},
		"another key": func(t *testing.T) {
			c := newClinic(t, binary, 1500)
			c.agent("-key-file", c.otherKey) // both keys, so that the first alone is not enough
			c.examine(nil, "No fault found", "-no-join", agentAt)
			c.examine(&doctor.WrongLabel, `the node has no label`, "-label", "prod", agentAt)
		},
		"another key, and the agent may be asked": func(t *testing.T) {
			c := newClinic(t, binary, 1500)
			p := c.agent("-http", "10.9.0.2:0", "-token", "secret")
			c.key = c.otherKey
			c.examine(&doctor.WrongKey, "the node gets what this machine sends, and refuses it: wrong key or label", "-api", p.http, agentAt)
			c.drop(c.there, nftables.ChainHookInput)
			c.examine(&doctor.Dropped, "its log does not mention them", "-api", p.http, agentAt)
		},
	} {
		if testing.Short() && name != "nothing" && name != "a path of 600 bytes" { // the others wait for answers that never arrive
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t)
		})
	}
}

func TestDoctorWritesItsReportAsJSON(t *testing.T) {
	binary := build(t)
	out, err := exec.CommandContext(t.Context(), binary, "doctor", "-json", "127.0.0.1:no-such-port").Output()
	e, ok := errors.AsType[*exec.ExitError](err)
	if !ok || e.ExitCode() != doctor.NoAddress.Code || !strings.Contains(string(out), `"name": "no-address"`) {
		t.Errorf("%v\n%s", err, out)
	}
}
