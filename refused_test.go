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

	"github.com/gwyh-go/gwyh/internal/gossip"
	"github.com/gwyh-go/gwyh/internal/handshake"
	"github.com/gwyh-go/gwyh/internal/udp"
	"github.com/gwyh-go/gwyh/internal/unreached"
)

// closedAddress is an address of this machine where nothing listens.
func closedAddress(t *testing.T, ip string) netip.AddrPort {
	t.Helper()
	c, err := udp.Listen("udp", netip.AddrPortFrom(netip.MustParseAddr(ip), 0))
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
	return c.LocalAddr()
}

// patient is a node whose Joins have more time than a test.
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
	if left := m.knocks.Load(); left != 0 {
		t.Errorf("%d addresses are still knocked at", left)
	}
}

func TestJoinOfAClosedPortIsRefusedBeforeItsTimeIsUp(t *testing.T) {
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

// The Join begins in the session that stands, and doubts it when nothing comes.
func TestJoinOfANodeThatWasKilledIsRefused(t *testing.T) {
	t.Parallel()
	m, b := patient(t), nodeAt(t, closedAddress(t, "127.0.0.1"))
	join(t, m, b)
	if err := b.Shutdown(); err != nil {
		t.Fatal(err)
	}
	wantRefused(t, m, b.LocalNode().Address())
}

// In less time than a refusal has to last, the Join waits, and then says what it was told.
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
	until(t, func() bool { return m.Stats().DatagramsSent > 0 }) // to nobody
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

func TestRefusalCountsAtOnceForAJoinThatHasCompany(t *testing.T) {
	m, closed, late := patient(t), closedAddress(t, "127.0.0.1"), closedAddress(t, "127.0.0.2")
	j := &joining{questions: newQuestions(), targets: make(map[gossip.JoinToken]*target)}
	_ = m.do(func(now time.Time) {
		m.begin(now, j, closed, now.Add(time.Hour), false)
		for _, at := range j.targets {
			at.told.Store(&verdict{syscall.ECONNREFUSED, now})
		}
		m.begin(now, j, late, now.Add(time.Hour), false)
	})
	m.befriend(j, netip.MustParseAddrPort(m.LocalNode().Address()))
	if q, ok := j.questions.take(time.Now()); ok {
		t.Errorf("the node itself is company: %+v", q.event)
	}
	m.befriend(j, netip.MustParseAddrPort("127.0.0.3:1"))
	if q, ok := j.questions.take(time.Now()); ok {
		m.advance(t.Context(), j, &q)
	}
	if len(j.targets) != 1 || len(j.errs) != 1 || !errors.Is(j.errs[0], syscall.ECONNREFUSED) {
		t.Errorf("%d targets, %v", len(j.targets), j.errs)
	}
	for _, at := range j.targets {
		if at.to != late {
			t.Errorf("%v was given up, which was not refused", late)
		}
	}
}

// What is refused, or seems so by somebody's forgery, ends the wait and nothing else.
func TestRefusedAddressIsFoundByItselfLater(t *testing.T) {
	t.Parallel()
	m, at := patient(t), closedAddress(t, "127.0.0.1")
	wantRefused(t, m, at.String())
	b := nodeAt(t, at)
	_ = m.do(func(now time.Time) { m.seek(now.Add(time.Minute)) }) // when it would look next
	until(t, func() bool { return m.NumMembers() == 2 && b.NumMembers() == 2 })
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

func TestFewAddressesAreKnockedAtAndNoneAfterShutdown(t *testing.T) {
	m, port := patient(t), closedAddress(t, "127.0.0.1").Port()
	var many []string
	for i := range 4 * knocksMax {
		many = append(many, fmt.Sprintf("127.0.1.%d:%d", i, port))
	}
	begin, ended := time.Now(), make(chan error, 1)
	go func() {
		_, err := m.Join(many)
		ended <- err
	}()
	until(t, func() bool {
		return m.Stats().DatagramsSent >= uint64(len(many)) && time.Since(begin) > 400*time.Millisecond
	})
	if n := m.knocks.Load(); n > knocksMax {
		t.Errorf("%d addresses are knocked at", n)
	}
	if err := m.Shutdown(); err != nil {
		t.Fatal(err)
	}
	if n := m.knocks.Load(); n != 0 {
		t.Errorf("%d addresses are knocked at after Shutdown", n)
	}
	if err := <-ended; !errors.Is(err, ErrShutdown) {
		t.Error(err)
	}
}

// silentAddress is an address in a network in memory where nobody answers.
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

// The tests have no firewall that refuses packets (EPERM), so the loop is told of one.
func TestErrorOfTheSystemEndsAJoinButNotAJoinContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := testConfig("a", nil)
		c.Transport = new(MockNetwork).NewTransport("a")
		m := create(t, c)
		refuse := func() {
			_ = m.do(func(now time.Time) { m.noRoute(now, netip.MustParseAddrPort(silentAddress), syscall.EPERM) })
		}
		for name, x := range map[string]struct {
			join func() (int, error)
			took time.Duration
			want error
		}{
			"Join": {func() (int, error) { return m.Join([]string{silentAddress}) }, time.Second, syscall.EPERM},
			"JoinContext": {func() (int, error) {
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				return m.JoinContext(ctx, []string{silentAddress})
			}, 5 * time.Second, syscall.EPERM},
			"JoinContext that is not refused any more": {func() (int, error) {
				ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
				defer cancel()
				return m.JoinContext(ctx, []string{silentAddress})
			}, 8 * time.Second, handshake.ErrNoAnswer},
		} {
			begin := time.Now()
			time.AfterFunc(time.Second, refuse)
			n, err := x.join()
			if n != 0 || !errors.Is(err, x.want) || time.Since(begin) != x.took {
				t.Errorf("%s = %d, %v after %v, want %v after %v", name, n, err, time.Since(begin), x.want, x.took)
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
