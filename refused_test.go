package gwyh

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gwyh-go/gwyh/internal/udp"
	"github.com/gwyh-go/gwyh/internal/unreached"
)

// closedAddress returns an address of this machine where no program listens.
func closedAddress(t *testing.T, ip string) netip.AddrPort {
	t.Helper()
	c, err := udp.Listen("udp", netip.AddrPortFrom(netip.MustParseAddr(ip), 0))
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
	return c.LocalAddr()
}

// patient returns a node whose Joins have more time than a test.
func patient(t *testing.T, changes ...func(*Config)) *Memberlist {
	t.Helper()
	c := testConfig("a", nil)
	c.TCPTimeout = time.Minute
	for _, change := range changes {
		change(c)
	}
	return create(t, c)
}

// nodeAt starts a node at an address.
func nodeAt(t *testing.T, at netip.AddrPort) *Memberlist {
	t.Helper()
	c := testConfig("b", nil)
	c.BindAddr, c.BindPort, c.AdvertisePort = at.Addr().String(), int(at.Port()), int(at.Port())
	return create(t, c)
}

func wantRefused(t *testing.T, m *Memberlist, at ...string) {
	t.Helper()
	begin := time.Now()
	n, err := m.Join(at)
	if n != 0 || !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("Join = %d, %v, want it refused", n, err)
	}
	if took := time.Since(begin); took >= m.config.TCPTimeout {
		t.Errorf("it took %v", took)
	}
}

func TestJoinOfAClosedPortIsRefusedBeforeItsTimeIsUp(t *testing.T) {
	t.Parallel()
	for _, host := range loopbackHosts() {
		t.Run(host, func(t *testing.T) {
			t.Parallel()
			m := patient(t, func(c *Config) { c.BindAddr = host })
			wantRefused(t, m, closedAddress(t, host).String())
		})
	}
	t.Run("all addresses", func(t *testing.T) {
		t.Parallel()
		m := patient(t, func(c *Config) { c.BindAddr, c.AdvertiseAddr = "0.0.0.0", "127.0.0.1" })
		var closed []string
		for _, host := range loopbackHosts() {
			closed = append(closed, closedAddress(t, host).String())
		}
		wantRefused(t, m, closed...)
	})
	t.Run("a NetTransport of the user", func(t *testing.T) {
		t.Parallel()
		m := patient(t, func(c *Config) { c.Transport = newNetTransport(t, "127.0.0.1", "127.0.0.2") })
		wantRefused(t, m, "name/"+closedAddress(t, "127.0.0.1").String())
	})
}

// The Join begins in the existing session, and tests that session when nothing arrives.
func TestJoinOfANodeThatWasKilledIsRefused(t *testing.T) {
	t.Parallel()
	m, b := patient(t), nodeAt(t, closedAddress(t, "127.0.0.1"))
	join(t, m, b)
	if err := b.Shutdown(); err != nil {
		t.Fatal(err)
	}
	wantRefused(t, m, b.LocalNode().Address())
}

// If a Join has less time than a refusal must last, it waits for its deadline and then returns the refusal.
func TestJoinWithLittleTimeSaysThatItWasRefused(t *testing.T) {
	t.Parallel()
	c := testConfig("a", nil)
	c.TCPTimeout = 500 * time.Millisecond
	if n, err := create(t, c).Join([]string{closedAddress(t, "127.0.0.1").String()}); n != 0 || !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("Join = %d, %v", n, err)
	}
}

func TestJoinReachesANodeThatComesUpWhileItIsRefused(t *testing.T) {
	m, at := patient(t), closedAddress(t, "127.0.0.1")
	reached := make(chan error, 1)
	go func() {
		_, err := m.Join([]string{at.String()})
		reached <- err
	}()
	until(t, func() bool { return m.Stats().DatagramsSent > 0 }) // to a closed port
	nodeAt(t, at)
	if err := <-reached; err != nil || m.NumMembers() != 2 {
		t.Errorf("%v, %d members", err, m.NumMembers())
	}
}

func TestJoinCountsWhoLivesBesideARefusedAddress(t *testing.T) {
	m, b := patient(t), nodeAt(t, closedAddress(t, "127.0.0.1"))
	if n, err := m.Join([]string{closedAddress(t, "127.0.0.1").String(), b.LocalNode().Address()}); n != 1 || err != nil {
		t.Errorf("Join = %d, %v", n, err)
	}
}

func TestJoinContextWaitsForANodeThatIsNotUpYet(t *testing.T) {
	t.Parallel()
	m, at := patient(t), closedAddress(t, "127.0.0.1")
	reached := make(chan error, 1)
	go func() {
		n, err := m.JoinContext(context.Background(), []string{at.String()})
		if n != 1 {
			err = fmt.Errorf("%d reached: %w", n, err)
		}
		reached <- err
	}()
	wantRefused(t, m, at.String())
	nodeAt(t, at)
	if err := <-reached; err != nil {
		t.Error(err)
	}
}

// silentAddress is an address in a network in memory that no node has.
const silentAddress = "127.0.0.9:9"

func TestJoinThatNobodyAnswersListsTheCausesAndWarnsOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log lines
		c := testConfig("a", nil)
		c.Transport, c.LogOutput = new(MockNetwork).NewTransport("a"), &log
		m := create(t, c)
		for _, x := range []struct {
			pause time.Duration
			lines int
		}{{0, 1}, {0, 1}, {time.Minute, 2}} {
			time.Sleep(x.pause)
			_, err := m.Join([]string{silentAddress})
			if err == nil || !strings.Contains(err.Error(), "join "+silentAddress+": no answer within 10s\n") || !strings.Contains(err.Error(), unreached.Causes) {
				t.Errorf("%v", err)
			}
			if n := log.count("[WARN] gwyh: joined nobody: no answer from " + silentAddress + ". "); n != x.lines {
				t.Errorf("%d warnings, want %d", n, x.lines)
			}
		}
	})
}

func TestJoinEndsWhereAnotherProgramAnswers(t *testing.T) {
	m, at := patient(t), netip.MustParseAddrPort(echo(t).String())
	if _, err := m.Join([]string{at.String()}); !errors.Is(err, udp.ErrStranger) {
		t.Errorf("%v", err)
	}
}
