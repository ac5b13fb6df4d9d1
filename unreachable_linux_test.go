package gwyh

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/netns"
	"github.com/gwyh-go/gwyh/internal/unreached"
	"github.com/gwyh-go/gwyh/status"
)

// joiner returns a node on a machine whose Joins have more time than a test.
func joiner(t *testing.T, on *netns.Space, log *lines) (m *Memberlist) {
	c := testConfig("joiner", nil)
	c.BindAddr, c.AdvertiseAddr, c.TCPTimeout, c.LogOutput = "10.9.0.1", "10.9.0.1", time.Minute, log
	err := on.Do(func() (err error) {
		m, err = Create(c)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Shutdown() })
	return m
}

func TestJoinOfAnAddressWithoutARouteFailsAtOnceWithTheErrorOfTheSystem(t *testing.T) {
	machine, _ := netns.WithRouter(t)
	machine.Unreachable("10.1.0.0/16")
	machine.Prohibited("10.2.0.0/16")
	machine.Blackhole("10.3.0.0/16")
	m := joiner(t, machine, new(lines))
	for address, want := range map[string]error{
		"10.1.0.1:7000": syscall.EHOSTUNREACH, "10.2.0.1:7000": syscall.EACCES, "10.3.0.1:7000": syscall.EINVAL,
		"10.4.0.1:7000": syscall.ENETUNREACH, "[fd00::1]:7000": syscall.EAFNOSUPPORT,
	} {
		begin := time.Now()
		n, err := m.Join([]string{address})
		if n != 0 || !errors.Is(err, want) {
			t.Errorf("Join of %s = %d, %v, want %v", address, n, err, want)
		}
		if strings.Contains(fmt.Sprint(err), unreached.Causes) {
			t.Errorf("Join of %s lists causes although it is known: %v", address, err)
		}
		if took := time.Since(begin); took >= m.config.TCPTimeout {
			t.Errorf("Join of %s took %v", address, took)
		}
	}
}

func TestJoinContextWaitsForARoute(t *testing.T) {
	t.Parallel()
	machine, _ := netns.WithRouter(t)
	m := joiner(t, machine, new(lines))
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := m.JoinContext(ctx, []string{"10.4.0.1:7000"}); !errors.Is(err, syscall.ENETUNREACH) {
		t.Errorf("JoinContext: %v, want ENETUNREACH", err)
	}
	// The node may reach the deadline a moment before the timer of the context.
	if deadline, _ := ctx.Deadline(); time.Now().Before(deadline) {
		t.Errorf("JoinContext ended %v before its deadline", time.Until(deadline))
	}
}

// A missing machine, a router that drops, a firewall that refuses: goroutines of the library open the sockets of the
// knocks, so the Join runs in a separate process, which is in the namespace as a whole.
func TestJoinThroughARouterSaysWhatIsKnown(t *testing.T) {
	t.Parallel()
	for name, x := range map[string]struct {
		to, want, log string
	}{
		"no way to the host":    {"10.1.0.1:7000", "join 10.1.0.1:7000: no route to host", ""},
		"no way to the network": {"10.2.0.1:7000", "join 10.2.0.1:7000: network is unreachable", ""},
		"a firewall says no":    {"10.3.0.1:7000", "join 10.3.0.1:7000: no route to host", ""},
		"nobody has it":         {"10.9.0.77:7000", "join 10.9.0.77:7000: no route to host", ""},
		"a closed port":         {"10.9.0.254:7000", "join 10.9.0.254:7000: connection refused", ""},
		"it is dropped":         {"10.4.0.1:7000", "join 10.4.0.1:7000: no answer within 8", "[WARN] gwyh: joined nobody: no answer from 10.4.0.1:7000. UDP may be blocked"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			machine, router := netns.WithRouter(t)
			machine.Via("10.0.0.0/8", "10.9.0.254")
			router.Unreachable("10.1.0.0/16")
			router.Prohibited("10.3.0.0/16")
			router.Blackhole("10.4.0.0/16")
			var out []byte
			err := machine.Do(func() (err error) {
				c := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestJoinOfAProcess$", "-test.v")
				c.Env = append(os.Environ(), joinOfAProcess+"="+x.to)
				out, err = c.CombinedOutput()
				return err
			})
			if err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			if !bytes.Contains(out, []byte(x.want)) {
				t.Errorf("%s\nwant %s", out, x.want)
			}
			if listed := bytes.Contains(out, []byte(unreached.Causes)); listed != (x.log != "") || !bytes.Contains(out, []byte(x.log)) {
				t.Errorf("%s\nwant a warning %q", out, x.log)
			}
		})
	}
}

const joinOfAProcess = "GWYH_TEST_JOIN"

// TestJoinOfAProcess runs in the process that another test starts.
func TestJoinOfAProcess(t *testing.T) {
	to, ok := os.LookupEnv(joinOfAProcess)
	if !ok {
		return
	}
	c := testConfig("joiner", nil)
	c.BindAddr, c.AdvertiseAddr, c.TCPTimeout, c.LogOutput = "10.9.0.1", "10.9.0.1", 8*time.Second, os.Stdout
	_, err := create(t, c).Join([]string{to})
	fmt.Println(err)
}

func TestMachineThatForbidsToSendIsAWarning(t *testing.T) {
	t.Parallel()
	machine, _ := netns.WithRouter(t)
	machine.Prohibited("10.2.0.0/16")
	log := new(lines)
	m := joiner(t, machine, log)
	const text = "this machine forbids the node to send: look at the rules for output in its firewall"
	warned := func() bool {
		return slices.ContainsFunc(m.Status().Warnings, func(w status.Warning) bool { return w.Code == status.CannotSend && strings.HasPrefix(w.Text, text) })
	}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(time.Minute); !warned() || log.count("[WARN] gwyh: "+text) == 0; {
		if time.Now().After(end) {
			t.Fatalf("no warning: %+v", m.Status().Warnings)
		}
		if _, err := m.Join([]string{"10.2.0.1:7000"}); !errors.Is(err, syscall.EACCES) {
			t.Fatal(err)
		}
		<-tick.C
	}
	if d := m.Status().Drops; !slices.ContainsFunc(d, func(d status.Drop) bool { return d.Reason == "write_forbidden" && d.Count > 1 }) {
		t.Errorf("%+v", d)
	}
}
