package node

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gwyh-go/gwyh/internal/handshake"
	"github.com/gwyh-go/gwyh/internal/udp"
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

var loopback = netip.MustParseAddrPort("127.0.0.1:0")

func TestRefusalCountsAtOnceForAJoinThatReachedAnotherNode(t *testing.T) {
	n, closed, late := onLoopback(t, "a", loopback), closedAddress(t, "127.0.0.1"), closedAddress(t, "127.0.0.2")
	j := newJoining()
	_ = n.loop.do(func(now time.Time) {
		n.joins.begin(now, j, closed, now.Add(time.Hour), false)
		for _, at := range j.targets {
			at.verdict.Store(&verdict{syscall.ECONNREFUSED, now})
		}
		n.joins.begin(now, j, late, now.Add(time.Hour), false)
	})
	n.joins.reached(j, n.Self().Addr)
	if q, ok := j.questions.take(time.Now()); ok {
		t.Errorf("the node itself counts as another: %+v", q.event)
	}
	n.joins.reached(j, netip.MustParseAddrPort("127.0.0.3:1"))
	if q, ok := j.questions.take(time.Now()); ok {
		n.joins.advance(t.Context(), j, &q)
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

// A refusal, genuine or forged, ends the wait of the Join and has no other effect.
func TestRefusedAddressIsFoundByItselfLater(t *testing.T) {
	n, at := onLoopback(t, "a", loopback), closedAddress(t, "127.0.0.1")
	if _, err := n.Join(t.Context(), []string{at.String()}, true); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Fatal(err)
	}
	if left := n.joins.knocker.count.Load(); left != 0 {
		t.Errorf("%d addresses are still knocked at", left)
	}
	b := onLoopback(t, "b", at)
	_ = n.loop.do(func(now time.Time) { n.rejoin.every(now.Add(time.Minute)) }) // when the seeds are due next
	until(t, func() bool { return n.NumMembers() == 2 && b.NumMembers() == 2 })
}

func TestFewAddressesAreKnockedAtAndNoneAfterShutdown(t *testing.T) {
	n, port := onLoopback(t, "a", loopback), closedAddress(t, "127.0.0.1").Port()
	var many []string
	for i := range 4 * knocksMax {
		many = append(many, fmt.Sprintf("127.0.1.%d:%d", i, port))
	}
	begin, ended := time.Now(), make(chan error, 1)
	go func() {
		_, err := n.Join(context.Background(), many, true)
		ended <- err
	}()
	until(t, func() bool {
		f, _ := n.Figures()
		return f.Core.SentDatagrams >= uint64(len(many)) && time.Since(begin) > 400*time.Millisecond
	})
	if count := n.joins.knocker.count.Load(); count > knocksMax {
		t.Errorf("%d addresses are knocked at", count)
	}
	if err := n.Shutdown(); err != nil {
		t.Fatal(err)
	}
	if count := n.joins.knocker.count.Load(); count != 0 {
		t.Errorf("%d addresses are knocked at after Shutdown", count)
	}
	if err := <-ended; !errors.Is(err, ErrShutdown) {
		t.Error(err)
	}
}

// The tests have no firewall that refuses packets (EPERM), so the test reports the refusal to the loop itself.
func TestErrorOfTheSystemEndsAHastyJoinOnly(t *testing.T) {
	const silent = "127.0.0.9:9"
	for name, x := range map[string]struct {
		hasty  bool
		atMost time.Duration
		took   time.Duration
		want   error
	}{
		"hasty":                      {true, time.Minute, time.Second, syscall.EPERM},
		"patient":                    {false, 5 * time.Second, 5 * time.Second, syscall.EPERM},
		"patient, not refused later": {false, 8 * time.Second, 8 * time.Second, handshake.ErrNoAnswer},
	} {
		synctest.Test(t, func(t *testing.T) {
			var w network
			n := w.start(t, "a", nil)
			begin := time.Now()
			time.AfterFunc(time.Second, func() {
				_ = n.loop.do(func(now time.Time) { n.joins.noRoute(now, netip.MustParseAddrPort(silent), syscall.EPERM) })
			})
			ctx, cancel := context.WithTimeout(t.Context(), x.atMost)
			defer cancel()
			reached, err := n.Join(ctx, []string{silent}, x.hasty)
			if reached != 0 || !errors.Is(err, x.want) {
				t.Errorf("%s: Join = %d, %v, want %v", name, reached, err, x.want)
			}
			if took := time.Since(begin); took != x.took {
				t.Errorf("%s: it took %v, want %v", name, took, x.took)
			}
		})
	}
}

func TestCanceledJoinEndsAtOnceWithTheCause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w network
		n := w.start(t, "a", nil)
		ctx, cancel := context.WithCancelCause(t.Context())
		cause, begin := errors.New("the cause"), time.Now()
		time.AfterFunc(time.Second, func() { cancel(cause) })
		if _, err := n.Join(ctx, []string{"127.0.0.9:9"}, false); !errors.Is(err, cause) || time.Since(begin) != time.Second {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
	})
}

func TestLeftNodeForgetsItsSeeds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w network
		a, b := w.start(t, "a", nil), w.start(t, "b", nil)
		join(t, b, address(a))
		if err := b.Leave(time.Second); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Minute)
		if b.NumMembers() > 1 || a.NumMembers() != 1 {
			t.Errorf("a knows %d members, b %d", a.NumMembers(), b.NumMembers())
		}
	})
}

func TestSeedThatComesUpLaterIsJoined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w network
		b := w.start(t, "b", nil)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := b.Join(ctx, []string{"127.0.0.1:2"}, true); err == nil {
			t.Fatal("reached a node that does not exist")
		}
		a := w.start(t, "a", nil)
		time.Sleep(20 * time.Second) // seeds are due every 15 s while the node is alone
		if a.NumMembers() != 2 || b.NumMembers() != 2 {
			t.Errorf("a knows %d members, b %d", a.NumMembers(), b.NumMembers())
		}
	})
}
