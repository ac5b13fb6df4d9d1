package handshake

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/nodeid"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// cookieFor returns a Cookie that answers the Hello in a datagram.
func cookieFor(t testing.TB, d datagram, k cookie) datagram {
	t.Helper()
	h := wire.Handshake{ID: parsed(t, d.bytes).ID, Step: wire.StepCookie, Cookie: k}
	return datagram{d.at, d.to, d.from, wire.AppendHandshake(nil, 1, goID(12345), &h)}
}

// PROTOCOL.md E9.
func TestCookieIsValidForTwoToFourMinutesAndOneAddress(t *testing.T) {
	c := cookies{rand: newSeeded(1)}
	at := netip.MustParseAddrPort("192.0.2.1:7000")
	k := c.make(epoch, at)
	for name, x := range map[string]struct {
		after time.Duration
		from  string
		want  bool
	}{
		"at once":                 {0, "192.0.2.1:7000", true},
		"mapped into IPv6":        {0, "[::ffff:192.0.2.1]:7000", true},
		"another port":            {0, "192.0.2.1:7001", false},
		"another address":         {0, "192.0.2.2:7000", false},
		"before its secret":       {-1, "192.0.2.1:7000", false},
		"a moment before the end": {2*cookieLife - 1, "192.0.2.1:7000", true},
		"at the end":              {2 * cookieLife, "192.0.2.1:7000", false},
	} {
		t.Run(name, func(t *testing.T) {
			d := c
			if x.after >= cookieLife {
				d.make(epoch.Add(cookieLife), at)
			}
			if got := d.valid(epoch.Add(x.after), netip.MustParseAddrPort(x.from), k); got != x.want {
				t.Errorf("valid: %v, want %v", got, x.want)
			}
		})
	}
	if c.valid(epoch, at, cookie{}) {
		t.Error("no cookie is one")
	}
}

func TestSecretsOfCookiesAreReplaced(t *testing.T) {
	at := netip.MustParseAddrPort("192.0.2.1:7000")
	for name, x := range map[string]struct {
		step      time.Duration
		same, old bool // the next cookie is the same; the old one is still valid
	}{
		"within two minutes":       {cookieLife - 1, true, true},
		"after two":                {cookieLife, false, true},
		"after four":               {2 * cookieLife, false, false},
		"when the clock went back": {-time.Second, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			c := cookies{rand: newSeeded(1)}
			k := c.make(epoch, at)
			secret, now := c.secrets[0], epoch.Add(x.step)
			if got := c.make(now, at) == k; got != x.same {
				t.Errorf("the same: %v", got)
			}
			if got := c.valid(now, at, k); got != x.old {
				t.Errorf("the old one is valid: %v", got)
			}
			if got := slices.Contains(c.secrets[:], secret); got != x.old {
				t.Errorf("its secret is kept: %v", got)
			}
		})
	}
}

// wantsCookies makes a node require cookies for the rest of the second.
func wantsCookies(n *node) {
	n.ep.budget.open(n.clock(), unproven, netip.Addr{})
	n.ep.budget.spent[unproven] = limits[unproven].all
}

// PROTOCOL.md E9.
func TestHelloIsRepeatedWithACookieAtOnce(t *testing.T) {
	w, a, b := pair(t, 1, nil)
	wantsCookies(b)
	a.join(b.addr, time.Second)
	w.run(30 * time.Millisecond) // six times the latency
	if !a.confirmed(b.id()) || b.rejected[CookieWanted] != 1 {
		t.Errorf("confirmed: %v, asked for %d cookies", a.confirmed(b.id()), b.rejected[CookieWanted])
	}
}

// A node reads no more of such a Hello than its cookie, so it may answer one that ends early or is not well-formed.
func TestCookieIsShorterThanAnyBeginningOfAHelloThatItAnswers(t *testing.T) {
	w, a, b := pair(t, 1, nil)
	w.keep = true
	w.filter = func(d *datagram) bool { return false }
	a.join(b.addr, time.Second)
	hello, answered := w.log[0], 0
	for n := range len(hello.bytes) + 1 {
		wantsCookies(b)
		sent := len(w.log)
		d := hello
		d.bytes = hello.bytes[:n]
		b.receive(d)
		for _, x := range w.log[sent:] {
			if answered++; len(x.bytes) >= n {
				t.Errorf("%d bytes draw %d", n, len(x.bytes))
			}
		}
	}
	if answered == 0 {
		t.Error("no cookie was asked for")
	}
}

func TestAskingForACookieKeepsNothing(t *testing.T) {
	w, a, b := pair(t, 1, nil)
	w.filter = func(d *datagram) bool { return d.to == b.addr }
	wantsCookies(b)
	before := state(b.ep)
	a.join(b.addr, 50*time.Millisecond)
	w.run(40 * time.Millisecond)
	if b.rejected[CookieWanted] == 0 {
		t.Fatal("no cookie was asked for")
	}
	if after := state(b.ep); after != before {
		t.Errorf("%s to\n%s", before, after)
	}
}

func TestCookieOfAnotherAddressIsWorthNothing(t *testing.T) {
	w, a, b := pair(t, 1, nil)
	w.keep = true
	w.filter = func(d *datagram) bool { return d.from != b.addr }
	a.join(b.addr, time.Second)
	wantsCookies(b)
	a.receive(cookieFor(t, w.log[0], b.ep.cookies.make(w.now, address(77))))
	w.run(20 * time.Millisecond)
	if bound, _ := b.ep.HalfOpen(); bound != 0 || b.rejected[CookieWanted] == 0 {
		t.Errorf("%d half-open, asked for %d cookies", bound, b.rejected[CookieWanted])
	}
}

func TestForgedCookiesChangeNothing(t *testing.T) {
	w, a, b := pair(t, 1, nil)
	w.keep = true
	w.filter = func(d *datagram) bool { return false }
	a.join(b.addr, 10*time.Second)
	first := w.log[0]
	stranger := first
	stranger.bytes = wire.AppendHandshake(nil, 1, goID(5), &wire.Handshake{ID: wire.HandshakeID{1}, Step: wire.StepHello})
	for _, x := range []struct {
		name  string
		d     datagram
		why   Reason
		hello bool // a Hello follows
	}{
		{"of no Hello of ours", cookieFor(t, stranger, cookie{1}), UnknownHandshake, false},
		{"the first", cookieFor(t, first, cookie{2}), accepted, true},
		{"another for the same Hello", cookieFor(t, first, cookie{3}), TooManyRepeats, false},
	} {
		before, sent := a.rejected[x.why], len(w.log)
		a.receive(x.d)
		if x.why != accepted && a.rejected[x.why] != before+1 {
			t.Errorf("%s: %v", x.name, a.rejected)
		}
		if got := len(w.log) > sent; got != x.hello {
			t.Errorf("%s: a Hello followed: %v", x.name, got)
		}
	}
	a.receive(cookieFor(t, w.log[len(w.log)-1], cookie{4}))
	if a.rejected[TooManyRepeats] != 2 {
		t.Error("a second cookie within a second was taken")
	}
}

func TestCookieForAnAnsweredHelloIsIgnored(t *testing.T) {
	w, a, b := pair(t, 1, nil)
	w.keep = true
	w.filter = func(d *datagram) bool { return !parsesAs(d.bytes, wire.StepOkBoss) }
	a.join(b.addr, time.Second)
	w.run(20 * time.Millisecond)
	sent := len(w.log)
	a.receive(cookieFor(t, w.log[0], cookie{1}))
	if a.rejected[Unexpected] != 1 || len(w.log) != sent {
		t.Error(a.rejected)
	}
}

func TestOldCookieIsNotShown(t *testing.T) {
	a := attempt{cookie: cookie{1}, cookieAt: epoch}
	if a.cookieNow(epoch.Add(cookieLife-1)) != a.cookie || a.cookieNow(epoch.Add(cookieLife)) != (cookie{}) {
		t.Error("a cookie is shown for as long as its secret surely lives")
	}
}

// flood sends perSecond forged Hellos per second, from random addresses of a network, to a node for 2.3 s.
func flood(w *world, to netip.AddrPort, perSecond int, source func(i int) netip.AddrPort) {
	f := newForger()
	var forged []byte
	for i := range perSecond * 23 / 10 {
		w.after(time.Duration(i)*time.Second/time.Duration(perSecond), func() {
			if i%1000 == 0 {
				forged = f.hello(w.now)
			}
			w.send(source(i), to, forged)
		})
	}
}

func TestJoinsEndWithinTwoSecondsDuringAFloodOfSpoofedHellos(t *testing.T) {
	const joins, perSecond = 20, 50_000
	rings, sources := []int{1, 4}, map[string]func(i int) netip.AddrPort{
		"the joiner's network": func(i int) netip.AddrPort { return address(2<<8 | i%256) },
		"all networks":         func(i int) netip.AddrPort { return address(i * 7919 % (1 << 24)) },
	}
	if testing.Short() { // the hardest ones
		rings = rings[1:]
		delete(sources, "all networks")
	}
	for _, keys := range rings {
		for _, end := range []string{"seed", "joiner"} {
			for name, source := range sources {
				t.Run(fmt.Sprintf("at the %s, from %s, %d keys", end, name, keys), func(t *testing.T) {
					w := newWorld(t, 1)
					ring := func(c *Config) {
						c.AllowLegacy, c.Agreement = false, nodeid.NoAgreement
						for i := 1; i < keys; i++ {
							c.Keys = append(c.Keys, NewKey([]byte{byte(i)}, ""))
						}
					}
					seed, joiner := newNode(w, 1, ring), newNode(w, 2<<8|77, ring)
					flooded := map[string]*node{"seed": seed, "joiner": joiner}[end]
					flood(w, flooded.addr, perSecond, source)
					var others []*node
					for i := range joins {
						other := newNode(w, 2<<8|100+i, ring)
						others = append(others, other)
						w.after(200*time.Millisecond, func() {
							if end == "seed" {
								other.join(seed.addr, 10*time.Second)
							} else {
								joiner.join(other.addr, 10*time.Second)
							}
						})
					}
					w.run(2200 * time.Millisecond)
					for i, other := range others {
						if !flooded.confirmed(other.id()) || !other.confirmed(flooded.id()) {
							t.Errorf("join %d has not ended after 2 s", i)
						}
					}
					if flooded.rejected[CookieWanted] < perSecond {
						t.Errorf("%v: not much of a flood", flooded.rejected)
					}
				})
			}
		}
	}
}
