package ping

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

var (
	start  = time.UnixMilli(1_700_000_000_000)
	node   = wire.NodeID{6: 0x80, 8: 0x80, 15: 1}
	legacy = wire.NodeID{6: 0x40, 8: 0x80, 15: 1}
)

// String returns the name of a kind for failed tests.
func (k Kind) String() string {
	return [...]string{"Send", "Answered", "Unanswered", "OtherName", "Legacy", "Unreached"}[k]
}

// begin begins a Ping that ends after one second.
func begin(t *testing.T, x *Pings, name string) Token {
	t.Helper()
	token, ok := x.Begin(start, name, start.Add(time.Second))
	if !ok || token == 0 {
		t.Fatalf("token %d, %v", token, ok)
	}
	return token
}

// want fails the test unless out has exactly the given kinds, all for the given Token.
func want(t *testing.T, out []Outcome, token Token, kinds ...Kind) {
	t.Helper()
	var got []Kind
	for _, o := range out {
		if got = append(got, o.Kind); o.Token != token {
			t.Errorf("%v of %d, want %d", o.Kind, o.Token, token)
		}
	}
	if !slices.Equal(got, kinds) {
		t.Fatalf("outcomes %v, want %v", got, kinds)
	}
}

func TestPingIsSentAndAnswered(t *testing.T) {
	var x Pings
	token := begin(t, &x, "")
	out := x.SessionReady(nil, start, token, node, "node-1")
	want(t, out, token, Send)
	if out[0].Peer != node {
		t.Errorf("to %v", out[0].Peer)
	}
	out = x.HandleAck(nil, token, 40*time.Millisecond)
	if want(t, out, token, Answered); out[0].RTT != 40*time.Millisecond {
		t.Errorf("after %v", out[0].RTT)
	}
	want(t, x.HandleAck(nil, token, time.Second), token) // a second answer
	if x.Len() != 0 || !x.NextTimeout().IsZero() {
		t.Errorf("%d left, next timeout %v", x.Len(), x.NextTimeout())
	}
}

func TestPingIsSentThreeTimesAndThenUnanswered(t *testing.T) {
	var x Pings
	token := begin(t, &x, "")
	out := x.SessionReady(nil, start, token, node, "")
	var sent []time.Duration
	at := start
	for out[0].Kind == Send {
		sent = append(sent, at.Sub(start).Round(10*time.Millisecond))
		at = x.NextTimeout()
		out = x.HandleTimeout(nil, at)
		if len(out) != 1 {
			t.Fatalf("%d outcomes", len(out))
		}
	}
	want(t, out, token, Unanswered)
	if at.Sub(start) != time.Second {
		t.Errorf("ended after %v", at.Sub(start))
	}
	if len(sent) < tries || len(sent) > tries+1 {
		t.Errorf("sent after %v", sent)
	}
	want(t, x.SessionReady(nil, at, token, node, ""), token) // too late
}

func TestPingWithoutASessionEndsInTime(t *testing.T) {
	var x Pings
	token := begin(t, &x, "")
	if at := x.NextTimeout(); at != start.Add(time.Second) {
		t.Errorf("next timeout %v", at.Sub(start))
	}
	want(t, x.HandleTimeout(nil, start.Add(999*time.Millisecond)), token)
	want(t, x.HandleTimeout(nil, start.Add(time.Second)), token, Unanswered)
}

func TestPingThatReachesNobodyFails(t *testing.T) {
	var x Pings
	token, err := begin(t, &x, ""), errors.New("no answer")
	out := x.Fail(nil, token, err)
	if want(t, out, token, Unreached); out[0].Err != err {
		t.Errorf("%v", out[0].Err)
	}
	want(t, x.Fail(nil, token, err), token)
	want(t, x.Fail(nil, 0, err), 0)
}

func TestNodeHasToHaveTheNameAskedFor(t *testing.T) {
	for _, c := range []struct {
		asked, name string
		peer        wire.NodeID
		want        Kind
	}{
		{"", "node-1", node, Send},
		{"node-1", "node-1", node, Send},
		{"node-2", "node-1", node, OtherName},
		{"node-1", "", node, OtherName},
		{"node-1", "node-1", legacy, Legacy},
	} {
		var x Pings
		token := begin(t, &x, c.asked)
		want(t, x.SessionReady(nil, start, token, c.peer, c.name), token, c.want)
		if ended := c.want != Send; ended != (x.Len() == 0) {
			t.Errorf("%+v: %d left", c, x.Len())
		}
	}
}

func TestPingOfThisNodeItself(t *testing.T) {
	for asked, kind := range map[string]Kind{"": Answered, "me": Answered, "you": OtherName} {
		var x Pings
		token := begin(t, &x, asked)
		out := x.ReachedSelf(nil, start.Add(time.Millisecond), token, "me")
		if want(t, out, token, kind); kind == Answered && out[0].RTT != time.Millisecond {
			t.Errorf("after %v", out[0].RTT)
		}
		want(t, x.ReachedSelf(nil, start, token, "me"), token)
	}
}

func TestPingsUnderWayAreBounded(t *testing.T) {
	var x Pings
	for range Max {
		begin(t, &x, "")
	}
	if _, ok := x.Begin(start, "", start.Add(time.Second)); ok || x.Len() != Max {
		t.Errorf("one more: %v, %d under way", ok, x.Len())
	}
}

func TestOutcomesAreAppended(t *testing.T) {
	var x Pings
	before := []Outcome{{Token: 99}}
	token := begin(t, &x, "")
	for _, out := range [][]Outcome{
		x.HandleAck(before, 0, 1), x.SessionReady(before, start, 0, node, ""), x.HandleTimeout(before, start), x.ReachedSelf(before, start, 0, ""),
	} {
		want(t, out, 99, Send) // the zero Kind of the existing outcome
	}
	if out := x.HandleAck(before, token, 1); len(out) != 2 || out[0].Token != 99 || out[1].Token != token {
		t.Errorf("%+v", out)
	}
}

// Whatever happens, each Ping ends exactly once.
func TestEachPingEndsOnce(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	var x Pings
	now, ends, begun := start, map[Token]int{}, 0
	take := func(out []Outcome) {
		for _, o := range out {
			if o.Kind != Send {
				ends[o.Token]++
			}
		}
	}
	for range 5000 {
		token := Token(rng.IntN(begun + 2))
		switch rng.IntN(6) {
		case 0:
			if _, ok := x.Begin(now, "", now.Add(time.Duration(rng.IntN(1000))*time.Millisecond)); ok {
				begun++
			}
		case 1:
			take(x.SessionReady(nil, now, token, node, "node-1"))
		case 2:
			take(x.HandleAck(nil, token, time.Millisecond))
		case 3:
			take(x.Fail(nil, token, nil))
		default:
			now = now.Add(time.Duration(rng.IntN(50)) * time.Millisecond)
			for at := x.NextTimeout(); !at.IsZero() && !at.After(now); at = x.NextTimeout() {
				take(x.HandleTimeout(nil, now))
			}
		}
	}
	for at := x.NextTimeout(); !at.IsZero(); at = x.NextTimeout() {
		take(x.HandleTimeout(nil, at))
	}
	if len(ends) != begun || x.Len() != 0 {
		t.Errorf("%d of %d ended, %d are left", len(ends), begun, x.Len())
	}
	for token, n := range ends {
		if n != 1 {
			t.Errorf("Ping %d ended %d times", token, n)
		}
	}
}

func TestPayloadIsAskedForOnceInAnInterval(t *testing.T) {
	var p Payload
	now := start
	for _, step := range []struct {
		after time.Duration
		set   bool
		want  bool
	}{
		{0, false, true},
		{time.Second, false, false}, // the application has not answered yet
		{time.Second, true, true},
		{999 * time.Millisecond, true, false},
		{time.Millisecond, false, true},
	} {
		now = now.Add(step.after)
		if step.set {
			p.Set(nil)
		}
		if got := p.Want(now, time.Second); got != step.want {
			t.Errorf("%v after the last step: %v, want %v", step.after, got, step.want)
		}
	}
}

func TestPayloadBeyondItsBoundIsNotSent(t *testing.T) {
	var p Payload
	b := make([]byte, PayloadMax+1)
	if !p.Set(b[:PayloadMax]) || len(p.Data()) != PayloadMax {
		t.Errorf("%d bytes", len(p.Data()))
	}
	if b[0] = 1; p.Data()[0] != 0 {
		t.Error("it is the caller's memory")
	}
	if p.Set(b) || len(p.Data()) != 0 {
		t.Errorf("%d bytes of one too many", len(p.Data()))
	}
}
