package handshake

import (
	"encoding/hex"
	"slices"
	"testing"
	"time"

	"golang.org/x/crypto/nacl/box"

	"github.com/gwyh-go/gwyh/internal/nodeid"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// A transcript is a recorded conversation between a probe, whose secret key is known, and a running gwyh 0.1.1.
type transcript struct {
	Name    string
	PSK     []string
	Probe   []string `json:"probe_psk"`
	Secret  string   `json:"probe_secret_key"`
	Public  string   `json:"probe_public_key"`
	ProbeID string   `json:"probe_node_id"`
	RustID  string   `json:"rust_node_id"`
	Started int64    `json:"started_unix_ns"`
	Packets []struct {
		From      string
		At        int64 `json:"at_ns"`
		Hex       string
		Decrypted *string `json:"decrypted_hex"`
		Flags     []string
	} `json:"datagrams"`
}

func loadTranscripts(t *testing.T) (list []transcript) {
	t.Helper()
	readJSON(t, "../../testdata/transcripts.json", &list)
	if len(list) != 26 {
		t.Fatalf("%d transcripts", len(list))
	}
	return list
}

func keysOf(psks []string) (list []Key) {
	for _, psk := range psks {
		list = append(list, NewKey([]byte(psk), ""))
	}
	return list
}

// A replay runs our machines in place of the probe.
type replay struct {
	t      *testing.T
	tr     transcript
	rust   []Key
	secret nodeid.PrivateKey

	hellos map[wire.HandshakeID]wire.Handshake
	ohais  map[wire.HandshakeID]wire.Handshake
	inits  map[wire.HandshakeID]Initiator
	resps  map[wire.HandshakeID]Responder
	keys   [][32]byte // of the sessions that our machines established

	hmacs, responses, boxes, sessions int // numbers of valid ones from the live node
}

func newReplay(t *testing.T, tr transcript) *replay {
	secret, public := nodeid.X25519((*[32]byte)(unhex(t, tr.Secret)))
	if hex.EncodeToString(public[:]) != tr.Public {
		t.Fatal("the probe's public key is another")
	}
	return &replay{
		t: t, tr: tr, rust: keysOf(tr.PSK), secret: secret,
		hellos: make(map[wire.HandshakeID]wire.Handshake), ohais: make(map[wire.HandshakeID]wire.Handshake),
		inits: make(map[wire.HandshakeID]Initiator), resps: make(map[wire.HandshakeID]Responder),
	}
}

func (r *replay) fatal(what string) {
	r.t.Helper()
	r.t.Fatalf("%s: %s", r.tr.Name, what)
}

// probe records what the probe sent and passes it to the machine that replaces the probe.
func (r *replay) probe(h wire.Handshake) {
	switch h.Step {
	case wire.StepHello:
		r.hellos[h.ID] = h
		r.inits[h.ID] = Initiator{self: wire.NodeID(unhex(r.t, r.tr.ProbeID)), legacy: true, hello: h, secret: r.secret}
	case wire.StepOhai:
		r.ohais[h.ID] = h
		if m, ok := r.resps[h.ID]; ok {
			m.ohai, m.secret = h, r.secret
			r.resps[h.ID] = m
		}
	}
}

// checkHmacs requires that every Hmac of the live node is the one of its key, in the order of the ring.
func (r *replay) checkHmacs(h *wire.Handshake, stamp time.Time) {
	if len(h.Hmacs) != len(r.rust) {
		r.fatal("not one Hmac per key")
	}
	for i, k := range r.rust {
		if k.hmac(h.Hmacs[i].Message, appendStamp(nil, stamp)) != h.Hmacs[i].Sum {
			r.fatal("an Hmac of the live node does not verify")
		}
		r.hmacs++
	}
}

func (r *replay) rustHello(now time.Time, sender wire.NodeID, h wire.Handshake) {
	r.checkHmacs(&h, h.Timestamp)
	r.hellos[h.ID] = h
	self := Self{Node: wire.NodeID(unhex(r.t, r.tr.ProbeID))}
	ring := newRing(keysOf(r.tr.Probe))
	if r.tr.Name == "10g-ohai-wrong-psk" { // the probe signs its Ohai under a wrong key in this one
		ring = newRing(r.rust)
	}
	m, why := newResponder(&self, &ring, nil, true, now, sender, &h, origin{newSeeded(1), nodeid.X25519})
	if why != accepted {
		r.fatal("our responder refuses the live node's Hello: " + why.String())
	}
	r.resps[h.ID] = m
}

func (r *replay) rustOhai(sender wire.NodeID, h wire.Handshake) {
	hello := r.hellos[h.ID]
	r.checkHmacs(&h, hello.Timestamp)
	r.ohais[h.ID] = h
	ring := newRing(keysOf(r.tr.Probe))
	m, e, why := r.inits[h.ID].Ohai(&ring, nil, sender, &h)
	if why != accepted || !e.Legacy || e.Peer != sender {
		r.fatal("our initiator refuses the live node's Ohai: " + why.String())
	}
	r.inits[h.ID] = m
	r.keys = append(r.keys, e.SendKey)
	r.sessions++
}

// rustOkBoss requires a response for each key of the live node, and that our responder accepts them.
func (r *replay) rustOkBoss(h wire.Handshake) {
	ohai := r.ohais[h.ID]
	if len(h.Responses) != len(r.rust) {
		r.fatal("not one response per key")
	}
	for i, k := range r.rust {
		if k.response(&ohai.Challenge, &ohai.PublicKey, h.ID) != h.Responses[i] {
			r.fatal("a response of the live node does not verify")
		}
		r.responses++
	}
	m, e, why := r.resps[h.ID].OkBoss(&h)
	if why != accepted || !e.Legacy {
		r.fatal("our responder refuses the live node's OkBoss: " + why.String())
	}
	r.resps[h.ID] = m
	r.keys = append(r.keys, e.RecvKey)
	r.sessions++
}

// box requires that a box opens under the newest session to the recorded plaintext.
func (r *replay) box(p *wire.Packet, want string) {
	sealed := append(p.Box.Tag[:len(p.Box.Tag):len(p.Box.Tag)], p.Box.Data...)
	for i := range slices.Backward(r.keys) {
		if text, ok := box.OpenAfterPrecomputation(nil, sealed, &p.Box.Nonce, &r.keys[i]); ok {
			if hex.EncodeToString(text) != want {
				r.fatal("a box has another content")
			}
			r.boxes++
			return
		}
	}
	r.fatal("a box does not open")
}

func (r *replay) run() {
	probe, rust := wire.NodeID(unhex(r.t, r.tr.ProbeID)), wire.NodeID(unhex(r.t, r.tr.RustID))
	for _, d := range r.tr.Packets {
		var p wire.Packet
		var h wire.Handshake
		if err := wire.ParsePacket(&p, unhex(r.t, d.Hex)); err != nil {
			r.fatal(err.Error())
		}
		if p.Kind == wire.PacketBox {
			if d.Decrypted != nil && len(d.Flags) == 0 || d.From == "rust" && p.Sender == rust {
				r.box(&p, *d.Decrypted)
			}
			continue
		}
		if err := p.ParseHandshake(&h); err != nil {
			r.fatal(err.Error())
		}
		now := time.Unix(0, r.tr.Started+d.At)
		switch {
		case d.From == "probe" && p.Sender == probe:
			r.probe(h)
		case p.Sender != rust:
		case h.Step == wire.StepHello:
			r.rustHello(now, rust, h)
		case h.Step == wire.StepOhai:
			r.rustOhai(rust, h)
		case h.Step == wire.StepOkBoss:
			r.rustOkBoss(h)
		}
	}
}

func TestRecordedConversationsReplay(t *testing.T) {
	total := replay{}
	for _, tr := range loadTranscripts(t) {
		r := newReplay(t, tr)
		r.run()
		endsInNone := slices.Contains([]string{"10a", "10b", "10c", "10g", "10h"}, tr.Name[:3])
		if !endsInNone && r.sessions == 0 {
			t.Errorf("%s: our machines end in no session", tr.Name)
		}
		total.hmacs += r.hmacs
		total.responses += r.responses
		total.boxes += r.boxes
		total.sessions += r.sessions
	}
	t.Logf("of the live node: %d Hmacs, %d responses; %d boxes of both; %d sessions", total.hmacs, total.responses, total.boxes, total.sessions)
	switch {
	case total.hmacs != 29:
		t.Errorf("%v Hmacs were verified, want 29", total.hmacs)
	case total.responses != 8:
		t.Errorf("%v responses were verified, want 8", total.responses)
	case total.boxes != 207:
		t.Errorf("%v boxes were opened, want 207", total.boxes)
	case total.sessions != 23:
		t.Errorf("%v sessions were made, want 23", total.sessions)
	}
}

// The live node accepts one valid response among invalid ones, and so does our responder.
func TestExtraResponsesOfALegacyNodeAreSkipped(t *testing.T) {
	for _, tr := range loadTranscripts(t) {
		if tr.Name != "02-rust-initiates" {
			continue
		}
		r := newReplay(t, tr)
		for _, d := range tr.Packets[:3] {
			var p wire.Packet
			var h wire.Handshake
			if wire.ParsePacket(&p, unhex(t, d.Hex)) != nil || p.ParseHandshake(&h) != nil {
				t.Fatal("not a handshake")
			}
			switch h.Step {
			case wire.StepHello:
				r.rustHello(time.Unix(0, tr.Started+d.At), p.Sender, h)
			case wire.StepOhai:
				r.probe(h)
			case wire.StepOkBoss:
				h.Responses = append([][64]byte{{1}, {2}}, h.Responses...)
				if _, _, why := r.resps[h.ID].OkBoss(&h); why != accepted {
					t.Error(why)
				}
			}
		}
	}
}
