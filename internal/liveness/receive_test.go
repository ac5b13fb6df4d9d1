package liveness

import (
	"net/netip"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/event"
	packets "github.com/gwyh-go/gwyh/internal/peer"
	"github.com/gwyh-go/gwyh/internal/stats"
	"github.com/gwyh-go/gwyh/internal/swim"
	"github.com/gwyh-go/gwyh/internal/wire"
)

func TestAnswerToAPingCarriesThePayload(t *testing.T) {
	w := newWorld(t)
	w.b.Delivery.Pings.SetPayload([]byte("payload"))
	w.a.do([]swim.Action{{Kind: swim.SendPing, Peer: w.a.swimPeer()}})
	w.Run(moment)
	if len(w.a.acks) != 1 || string(w.a.acks[0].Payload) != "payload" {
		t.Errorf("answers %+v, want one with the payload", w.a.acks)
	}
}

func TestAnswerIsAnEventOnlyOfAMemberAndIfWanted(t *testing.T) {
	for _, c := range []struct {
		name           string
		member, wanted bool
		want           int
	}{
		{"member", true, true, 1},
		{"stranger", false, true, 0},
		{"not wanted", true, false, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, func(cfg *Config) { cfg.Pings = c.wanted })
			if c.member {
				w.a.AddOther()
			}
			w.a.do([]swim.Action{{Kind: swim.SendPing, Peer: w.a.swimPeer()}})
			w.Run(moment)
			count := 0
			for _, e := range w.a.Events.Take() {
				if e.Kind == event.Ping {
					count++
				}
			}
			if count != c.want {
				t.Errorf("%d events, want %d", count, c.want)
			}
		})
	}
}

func TestAckOfNoPingIsNotAnAnswer(t *testing.T) {
	w := newWorld(t)
	ack := body(t, wire.AppendPing(nil, wire.KindAck, wire.MessageID{1}, wire.Ping{Seq: 1 << 40}))
	if _, a, ok := w.a.ReceiveAck(nil, w.Now, w.a.Peer, ack); ok {
		t.Errorf("it counts as %+v", a)
	}
}

func TestPingsOfOnePacketHaveFewAnswers(t *testing.T) {
	w := newWorld(t)
	ping := body(t, wire.AppendPing(nil, wire.KindPing, wire.MessageID{1}, wire.Ping{Seq: 1}))
	w.a.Delivery.Endpoint.BeginPacket()
	for range packets.AcksMax + 3 {
		w.a.ReceivePing(w.Now, w.b.Path, w.a.Peer, w.a.Peer.Packets.Channel(w.Now), ping)
	}
	if got := w.a.Stats.Dropped[stats.DropOversize]; got != 3 {
		t.Errorf("%d were refused, want 3", got)
	}
}

func TestPingIsAnsweredWhereItCameFromUnlessTheAddressCannotBeAnswered(t *testing.T) {
	elsewhere := wire.Path{Remote: netip.MustParseAddrPort("10.9.9.9:9")}
	for _, c := range []struct {
		name       string
		advertised bool
	}{{"source", false}, {"advertised", true}} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, func(cfg *Config) { cfg.AnswerAdvertised = c.advertised })
			want := elsewhere.Remote
			if c.advertised {
				want = w.b.Path.Remote
			}
			ping := body(t, wire.AppendPing(nil, wire.KindPing, wire.MessageID{1}, wire.Ping{Seq: 1}))
			w.a.Delivery.Endpoint.BeginPacket()
			w.a.ReceivePing(w.Now, elsewhere, w.a.Peer, w.a.Peer.Packets.Channel(w.Now), ping)
			if got := w.a.destinations(); len(got) != 1 || got[0] != want {
				t.Errorf("sent to %v, want %v", got, want)
			}
		})
	}
}

func TestNodeThatHasLeftSaysSoBeforeItAnswersAPing(t *testing.T) {
	w := newWorld(t)
	w.b.Members.Leave(w.Now)
	w.a.do([]swim.Action{{Kind: swim.SendPing, Peer: w.a.swimPeer()}})
	w.Run(moment)
	if len(w.a.got) != 1 || w.a.got[0].State != wire.StateLeft {
		t.Errorf("entries %+v, want one that says that b has left", w.a.got)
	}
	if len(w.a.acks) != 1 {
		t.Errorf("%d answers, want 1", len(w.a.acks))
	}
}

func TestMalformedMessagesAreCounted(t *testing.T) {
	w := newWorld(t)
	now, p, junk := w.Now, w.a.Peer, []byte{0xc1}
	w.a.ReceivePing(now, w.b.Path, p, p.Packets.Channel(now), junk)
	w.a.do(w.a.ReceiveProbeFor(nil, now, p, junk))
	w.a.do(w.a.ReceiveProbeResult(nil, now, p, junk))
	if _, _, ok := w.a.ReceiveAck(nil, now, p, junk); ok {
		t.Error("a malformed Ack is an answer")
	}
	if got := w.a.Stats.Dropped[stats.DropMalformedBody]; got != 4 {
		t.Errorf("%d were counted, want 4", got)
	}
	if n := w.a.Lose(); n != 0 {
		t.Errorf("%d datagrams answer them", n)
	}
}

func TestNodeIsProbedForAPeerAtItsAddress(t *testing.T) {
	at := netip.MustParseAddrPort("10.0.0.9:6969")
	for _, c := range []struct {
		name    string
		allow   func(netip.Addr) bool
		want    netip.AddrPort
		target  wire.NodeID
		dropped stats.Drop
	}{
		{name: "any address", want: at, target: wire.NodeID{9, 6: 0x80}},
		{name: "refused address", allow: func(netip.Addr) bool { return false }, target: wire.NodeID{9, 6: 0x80}},
		{name: "gwyh 0.1 node", target: wire.NodeID{9, 6: 0x40}, dropped: stats.DropUnexpected},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, func(cfg *Config) { cfg.Allow = c.allow })
			w.a.do(w.a.ReceiveProbeFor(nil, w.Now, w.a.Peer, body(t, probeFor(c.target, at))))
			if c.dropped != 0 {
				if got := w.a.Stats.Dropped[c.dropped]; got != 1 || len(w.a.left) != 0 {
					t.Errorf("%d dropped and %d actions, want 1 and none", got, len(w.a.left))
				}
				return
			}
			if len(w.a.left) != 1 || w.a.left[0].Kind != swim.Reach || w.a.left[0].Addr != c.want {
				t.Errorf("left %+v, want a Reach at %v", w.a.left, c.want)
			}
		})
	}
}

func TestRequestsForProbesOfOnePeerAreLimited(t *testing.T) {
	w := newWorld(t)
	for i := range swim.RequestRate + 5 {
		w.a.do(w.a.ReceiveProbeFor(nil, w.Now, w.a.Peer, body(t, probeFor(wire.NodeID{9, byte(i), 6: 0x80}, netip.AddrPort{}))))
	}
	if got := w.a.Stats.Dropped[stats.DropOversize]; got != 5 {
		t.Errorf("%d were refused, want 5", got)
	}
}

func TestHelperReportsThatTheTargetDidNotAnswer(t *testing.T) {
	w := newWorld(t)
	w.b.Timers.Set(&w.b.Peer.Timer, w.Now)
	w.a.do([]swim.Action{{Kind: swim.SendProbeFor, Peer: w.a.swimPeer(), ProbeFor: wire.ProbeFor{Seq: 7, Target: wire.NodeID{9, 6: 0x80}}}})
	w.Run(moment)
	for end := w.Now.Add(5 * time.Second); w.Now.Before(end); {
		w.Run(100 * time.Millisecond)
		w.b.do(w.b.Detector.HandleTimeout(nil, w.Now, true))
	}
	w.Run(moment)
	count := 0
	for _, k := range w.a.Kinds {
		if k == wire.KindProbeResult {
			count++
		}
	}
	if count != 1 {
		t.Errorf("%d results, want 1", count)
	}
}
