package gwyh01

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/nodeid"
	"github.com/gwyh-go/gwyh/internal/session"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// A transcript is a recorded conversation between a probe and a live gwyh 0.1.1.
type transcript struct {
	Name      string
	Args      []string `json:"rust_args"`
	PSK       []string
	ProbePSK  []string `json:"probe_psk"`
	Secret    string   `json:"probe_secret_key"`
	ProbeID   string   `json:"probe_node_id"`
	RustID    string   `json:"rust_node_id"`
	ProbeAddr string   `json:"probe_addr"`
	RustAddr  string   `json:"rust_addr"`
	Started   int64    `json:"started_unix_ns"`
	Ended     int64    `json:"ended_ns"`
	Events    []struct {
		At   int64 `json:"at_ns"`
		What string
	}
	Datagrams []recorded
}

type recorded struct {
	From  string
	At    int64 `json:"at_ns"`
	Hex   string
	Plain string `json:"decrypted_hex"`
	Note  string
	Flags []string
}

func (d *recorded) is(flag string) bool { return slices.Contains(d.Flags, flag) }

func loadTranscripts(t *testing.T) (list []transcript) {
	t.Helper()
	b, err := os.ReadFile("../../testdata/transcripts.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &list); err != nil {
		t.Fatal(err)
	}
	if len(list) != 26 {
		t.Fatalf("%d transcripts", len(list))
	}
	return list
}

func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, "-", ""))
	if err != nil {
		panic(err)
	}
	return b
}

// A stage runs a model in place of the live node, and further models where other nodes took part, against the probes
// of one or more transcripts. Datagrams arrive without delay.
type stage struct {
	t      *testing.T
	now    time.Time
	main   *Node
	others []*Node
	probes []*probe
	random *counter
}

// counter is a repeatable source of random bytes.
type counter struct{ n uint64 }

func (c *counter) Read(b []byte) (int, error) {
	for i := range b {
		c.n = c.n*6364136223846793005 + 1442695040888963407
		b[i] = byte(c.n >> 56)
	}
	return len(b), nil
}

// A probe sends what a recorded probe sent, except for what depends on the keys and ids of the other side.
type probe struct {
	*stage
	tr     *transcript
	id     wire.NodeID
	addr   netip.AddrPort
	keys   []key
	secret nodeid.PrivateKey
	ids    map[wire.MessageID]bool // of its messages

	asks   []time.Duration    // since the start: when the live node sent the probe its own StartSubscriptions
	hellos []wire.Handshake   // of the model
	named  []wire.HandshakeID // of the Hellos of the live node
	ohais  map[wire.HandshakeID]wire.Handshake
	boxes  [][32]byte // keys, newest last
	got    []string   // descriptions of the received packets
}

// cast lists the other nodes that took part in a conversation.
var cast = map[string][]string{"05-peerlist": {"us-east", "", "eu"}}

// companions maps a transcript to the one recorded at the same live node at the same time.
var companions = map[string]string{"09-frame": "09b-frame-observer"}

// forwarded names the transcripts in which StartSubscriptions beyond the first were not the live node's own.
var forwarded = map[string]int{"06-peerstatus-up-down": 1, "09b-frame-observer": 0}

func zoneOf(args []string) wire.Zone {
	if i := slices.Index(args, "--zone"); i >= 0 {
		return wire.Zone{Name: args[i+1], Valid: true}
	}
	return wire.Zone{}
}

func newStage(t *testing.T, trs ...*transcript) *stage {
	first := trs[0]
	s := &stage{t: t, random: &counter{}}
	for _, tr := range trs {
		p := &probe{stage: s, tr: tr, id: wire.NodeID(unhex(tr.ProbeID)), addr: netip.MustParseAddrPort(tr.ProbeAddr),
			ids: make(map[wire.MessageID]bool), ohais: make(map[wire.HandshakeID]wire.Handshake)}
		p.secret, _ = nodeid.X25519((*[32]byte)(unhex(tr.Secret)))
		for _, psk := range tr.ProbePSK {
			p.keys = append(p.keys, newKey(psk))
		}
		p.study()
		s.probes = append(s.probes, p)
	}
	start := time.Unix(0, first.Started)
	s.now = start.Add(-beforehand(first))
	cfg := Config{ID: wire.NodeID(unhex(first.RustID)), Addr: netip.MustParseAddrPort(first.RustAddr), Zone: zoneOf(first.Args), Keys: first.PSK, Rand: s.random}
	for i, a := range first.Args {
		if a == "--peer" {
			cfg.Seeds = append(cfg.Seeds, netip.MustParseAddrPort(first.Args[i+1]))
		}
	}
	for i, zone := range cast[first.Name] {
		s.others = append(s.others, New(s.now, Config{Addr: cfg.Seeds[i], Zone: wire.Zone{Name: zone, Valid: zone != ""}, Keys: first.PSK, Rand: s.random,
			ChooseAfter: func(wire.NodeID) time.Duration { return time.Hour }, GreetAfter: atOnce}))
	}
	cfg.ChooseAfter, cfg.GreetAfter = s.pause, atOnce
	s.main = New(s.now, cfg)
	s.until(s.now)
	return s
}

func atOnce() time.Duration { return 0 }

// beforehand returns how long before the first datagram the live node started. The first event of its clock, a
// heartbeat or a second Hello, shows it. If that gives a start after the first datagram, the recorder was late.
func beforehand(tr *transcript) time.Duration {
	sign := "Heartbeat"
	if tr.Datagrams[0].From == "rust" {
		sign = "H Hello"
	}
	for _, d := range tr.Datagrams[1:] {
		if early := tick - time.Duration(d.At); d.From == "rust" && strings.Contains(d.Note, sign) {
			return max(early, 0)
		}
	}
	return 0
}

// study extracts the live node's own timing and ids from the recording.
func (p *probe) study() {
	var own []time.Duration
	for i := range p.tr.Datagrams {
		d := &p.tr.Datagrams[i]
		pkt, h, m := parse(d)
		switch {
		case d.From == "probe" && m != nil:
			p.ids[m.ID] = true
		case d.From != "rust" || pkt == nil:
		case h != nil && h.Step == wire.StepHello:
			p.named = append(p.named, h.ID)
		case m != nil && m.Kind == wire.KindStartSubscription:
			own = append(own, time.Duration(d.At))
		}
	}
	if n, ok := forwarded[p.tr.Name]; ok {
		own = own[:n]
	}
	p.asks = own
}

// pause makes the model request a subscription when the live node did.
func (s *stage) pause(id wire.NodeID) time.Duration {
	for _, p := range s.probes {
		if p.id == id && len(p.asks) > 0 {
			at := p.at(int64(p.asks[0]))
			p.asks = p.asks[1:]
			return at.Sub(s.now)
		}
		if p.id != id && p.tr.Name == "06-peerstatus-up-down" { // the other answer was forwarded right after its own request
			if pause := p.at(2_633_500_000).Sub(s.now); pause > 0 {
				return pause
			}
		}
	}
	return time.Hour
}

func (p *probe) at(ns int64) time.Time { return time.Unix(0, p.tr.Started+ns) }

// parse parses a recorded datagram and the recorded plaintext of its message.
func parse(d *recorded) (pkt *wire.Packet, h *wire.Handshake, m *wire.Message) {
	pkt = new(wire.Packet)
	if wire.ParsePacket(pkt, unhex(d.Hex)) != nil {
		return nil, nil, nil
	}
	if pkt.Kind == wire.PacketHandshake {
		h = new(wire.Handshake)
		if pkt.ParseHandshake(h) != nil {
			return nil, nil, nil
		}
		return pkt, h, nil
	}
	if d.Plain == "" {
		return pkt, nil, nil
	}
	m = new(wire.Message)
	if _, err := wire.ParseMessage(m, unhex(d.Plain)); err != nil {
		return nil, nil, nil
	}
	return pkt, nil, m
}

// A cue is an event at a moment of a recording.
type cue struct {
	at time.Time
	do func()
}

func (s *stage) play() {
	var cues []cue
	for _, p := range s.probes {
		for i := range p.tr.Datagrams {
			if d := &p.tr.Datagrams[i]; d.From == "probe" {
				cues = append(cues, cue{p.at(d.At), func() { p.say(d) }})
			}
		}
		for _, e := range p.tr.Events {
			cues = append(cues, cue{p.at(e.At), func() { p.happen(e.What) }})
		}
		cues = append(cues, cue{p.at(p.tr.Ended), func() {}})
	}
	slices.SortStableFunc(cues, func(a, b cue) int { return cmp.Compare(a.at.UnixNano(), b.at.UnixNano()) })
	for _, c := range cues {
		s.until(c.at)
		c.do()
		s.carry()
	}
}

// until advances the models' time.
func (s *stage) until(at time.Time) {
	for {
		var next *Node
		for _, n := range append([]*Node{s.main}, s.others...) {
			if t := n.NextTimeout(); !t.IsZero() && !t.After(at) && (next == nil || t.Before(next.NextTimeout())) {
				next = n
			}
		}
		if next == nil {
			s.now = at
			return
		}
		s.now = next.NextTimeout()
		next.HandleTimeout(s.now)
		s.carry()
	}
}

// carry delivers datagrams until there are none.
func (s *stage) carry() {
	for moved := true; moved; {
		moved = false
		for _, n := range append([]*Node{s.main}, s.others...) {
			n.Drain(s.now, func(to wire.Path, b []byte) {
				moved = true
				s.deliver(n, to.Remote, bytes.Clone(b))
			})
		}
	}
}

func (s *stage) deliver(from *Node, to netip.AddrPort, b []byte) {
	for _, p := range s.probes {
		if p.addr == to && from == s.main {
			p.receive(b)
		}
	}
	for _, n := range append([]*Node{s.main}, s.others...) {
		if n.Addr() == to {
			n.HandleDatagram(s.now, wire.Path{Remote: from.Addr()}, b)
		}
	}
}

// happen repeats what a person did to the live node.
func (p *probe) happen(what string) {
	switch {
	case strings.HasPrefix(what, "Rust stdin: send"):
		p.main.Broadcast(p.nextBroadcast())
	case strings.HasPrefix(what, "Rust stdin: quit"):
		p.main.Shutdown()
	case strings.HasPrefix(what, "other Rust node started"):
		p.others = append(p.others, New(p.now, Config{Addr: netip.MustParseAddrPort("127.0.0.1:47113"), Zone: wire.Zone{Name: "eu", Valid: true},
			Keys: p.tr.PSK, Seeds: []netip.AddrPort{p.main.Addr()}, Rand: p.random,
			ChooseAfter: func(wire.NodeID) time.Duration { return p.at(2_633_000_000).Sub(p.now) }, GreetAfter: atOnce}))
	case strings.HasPrefix(what, "kill -9 of other"):
		p.others = nil
	default:
		p.t.Fatalf("%s: %q: not known", p.tr.Name, what)
	}
}

// nextBroadcast returns the next broadcast that the live node was made to send.
func (p *probe) nextBroadcast() []byte {
	sent := 0
	for _, g := range p.got {
		if strings.Contains(g, "Broadcast of its own") {
			sent++
		}
	}
	for i := range p.tr.Datagrams {
		d := &p.tr.Datagrams[i]
		if _, _, m := parse(d); d.From == "rust" && m != nil && m.Kind == wire.KindBroadcast && !p.ids[m.ID] {
			if sent == 0 {
				return m.Data
			}
			sent--
		}
	}
	p.t.Fatalf("%s: no more broadcasts were recorded", p.tr.Name)
	return nil
}

// say sends what the probe sent, with the ids and keys of this conversation instead of the recorded ones.
func (p *probe) say(d *recorded) {
	pkt, h, _ := parse(d)
	var b []byte
	switch {
	case pkt.Kind == wire.PacketBox:
		b = p.seal(d, pkt)
	case h.Step == wire.StepHello:
		b = wire.AppendHandshake(nil, pkt.Seq, p.id, h)
	default:
		p.answer(d, h)
		b = wire.AppendHandshake(nil, pkt.Seq, p.id, h)
	}
	if d.is("trailing_outer") {
		b = append(b, 0xc1, 1, 2, 3, 4, 5)
	}
	p.main.HandleDatagram(p.now, wire.Path{Remote: p.addr}, b)
}

// answer adapts a recorded Ohai, OkBoss or GoTeam to the model's handshake.
func (p *probe) answer(d *recorded, h *wire.Handshake) {
	if i := slices.Index(p.named, h.ID); i >= 0 {
		if i >= len(p.hellos) {
			p.t.Fatalf("%s: the model sent %d Hellos only", p.tr.Name, len(p.hellos))
		}
		hello := p.hellos[i]
		h.ID = hello.ID
		for i := range h.Hmacs {
			h.Hmacs[i].Sum = p.keys[i].hmac(h.Hmacs[i].Message, hello.Timestamp)
		}
		if h.Step == wire.StepOhai {
			p.agree(&hello.PublicKey)
		}
	}
	if h.Step != wire.StepOkBoss {
		return
	}
	ohai := p.ohais[h.ID]
	h.Responses = nil
	if d.is("extra_response_first") {
		h.Responses = append(h.Responses, [64]byte{1, 2, 3})
	}
	for i := range p.keys {
		h.Responses = append(h.Responses, p.keys[i].response(&ohai.Challenge, &ohai.PublicKey, h.ID))
	}
	if d.is("bad_response") {
		h.Responses[0][7] ^= 1
	}
}

func (p *probe) agree(public *[32]byte) {
	shared, ok := p.secret.Agree(public)
	if !ok {
		p.t.Fatal("no shared secret")
	}
	p.boxes = append(p.boxes, boxKey(&shared))
}

// seal seals the recorded plaintext in a box of this conversation, in the form of the recorded box.
func (p *probe) seal(d *recorded, pkt *wire.Packet) []byte {
	plain := unhex(d.Plain)
	if d.Plain == "" {
		plain = wire.AppendRequest(nil, wire.MessageID{9}, wire.KindHeartbeat)
	}
	key, nonce, tag, sealed := p.boxes[len(p.boxes)-1], pkt.Box.Nonce, [16]byte{}, make([]byte, len(plain))
	var subkey [32]byte
	session.NaCl.Subkey(&subkey, &key, (*[16]byte)(nonce[:16]))
	session.NaCl.Seal(&subkey, (*[8]byte)(nonce[16:]), &tag, sealed, plain)
	if d.is("tampered") && strings.Contains(d.Note, "flipped") {
		sealed[3] ^= 4
	}
	if pkt.Box.Encoding == wire.Arrays {
		return wire.AppendBoxArrays(nil, pkt.Seq, pkt.Sender, &nonce, &tag, sealed)
	}
	b, t, data := wire.ReserveBox(nil, pkt.Seq, pkt.Sender, &nonce, len(sealed))
	copy(t, tag[:])
	copy(data, sealed)
	return b
}

// receive records a packet from the model.
func (p *probe) receive(b []byte) {
	var pkt wire.Packet
	if err := wire.ParsePacket(&pkt, b); err != nil {
		p.t.Fatal(err)
	}
	if pkt.Kind == wire.PacketHandshake {
		var h wire.Handshake
		if err := pkt.ParseHandshake(&h); err != nil {
			p.t.Fatal(err)
		}
		switch h.Step {
		case wire.StepHello:
			p.hellos = append(p.hellos, h)
		case wire.StepOhai:
			p.ohais[h.ID] = h
			p.agree(&h.PublicKey)
		}
		p.got = append(p.got, p.describe(&pkt, &h, nil))
		return
	}
	for i := range slices.Backward(p.boxes) {
		var subkey [32]byte
		session.NaCl.Subkey(&subkey, &p.boxes[i], (*[16]byte)(pkt.Box.Nonce[:16]))
		if !session.NaCl.Open(&subkey, (*[8]byte)(pkt.Box.Nonce[16:]), &pkt.Box.Tag, pkt.Box.Data) {
			continue
		}
		var m wire.Message
		if _, err := wire.ParseMessage(&m, pkt.Box.Data); err != nil {
			p.t.Fatal(err)
		}
		p.got = append(p.got, p.describe(&pkt, nil, &m))
		return
	}
	p.t.Errorf("%s: a box of the model does not open", p.tr.Name)
}

// describe returns everything in a packet that does not depend on keys, times and random ids.
func (p *probe) describe(pkt *wire.Packet, h *wire.Handshake, m *wire.Message) string {
	if h != nil {
		return fmt.Sprintf("%d %s %v hmacs %d responses %d", pkt.Seq, h.Step, h.Zone, len(h.Hmacs), len(h.Responses))
	}
	whose := "of its own"
	if p.ids[m.ID] {
		whose = "with the probe's id"
	}
	text := fmt.Sprintf("%d %s %s", pkt.Seq, m.Kind, whose)
	switch m.Kind {
	case wire.KindNak:
		text += fmt.Sprintf(" [%d,%d)", m.Start, m.End)
	case wire.KindBroadcast:
		text += fmt.Sprintf(" of %d bytes %x", len(m.Data), m.Data[:min(len(m.Data), 24)])
	case wire.KindPeerStatus:
		of, up, err := wire.ParsePeerStatus(m.Data)
		text += fmt.Sprintf(" of %v up %t %v", of.Zone, up, err)
	case wire.KindPeers:
		list, err := wire.ParsePeers(m.Data)
		text += fmt.Sprintf(" %v", err)
		var each []string
		for _, o := range list {
			each = append(each, fmt.Sprintf("%v probe %t IPv6 %t", o.Zone, o.ID == p.id && o.Addr == p.addr, o.Addr.Addr().Is6()))
		}
		slices.Sort(each)
		text += strings.Join(each, "; ")
	}
	return text
}

// want returns the packets of the live node.
func (p *probe) want() (list []string) {
	for i := range p.tr.Datagrams {
		if d := &p.tr.Datagrams[i]; d.From == "rust" {
			pkt, h, m := parse(d)
			if pkt == nil || h == nil && m == nil {
				p.t.Fatalf("%s: %s is not to be read", p.tr.Name, d.Note)
			}
			list = append(list, p.describe(pkt, h, m))
		}
	}
	return list
}

// In all 26 recorded conversations the model answers the probe as the live node did: the same packets in the same
// order with the same numbers, and Naks with the same ranges. Where other live nodes took part, models replace them.
// Keys, ids, padding and the length of random pauses are not compared.
func TestModelAnswersTheProbeOfEveryTranscriptAsTheLiveNodeDid(t *testing.T) {
	list := loadTranscripts(t)
	byName := make(map[string]*transcript)
	for i := range list {
		byName[list[i].Name] = &list[i]
	}
	for with, other := range companions {
		if byName[with] == nil || byName[other] == nil {
			t.Fatalf("no %s or %s", with, other)
		}
	}
	compared := 0
	for i := range list {
		tr := &list[i]
		if tr.Name == "09b-frame-observer" { // runs together with its companion
			continue
		}
		trs := []*transcript{tr}
		if other := companions[tr.Name]; other != "" {
			trs = append(trs, byName[other])
		}
		s := newStage(t, trs...)
		s.play()
		for _, p := range s.probes {
			compared++
			if got, want := strings.Join(p.got, "\n"), strings.Join(p.want(), "\n"); got != want {
				t.Errorf("%s:\ngot\n%s\nwant\n%s", p.tr.Name, got, want)
			}
		}
	}
	if compared != 26 {
		t.Errorf("%d conversations compared", compared)
	}
}

// The model expects the responses that the probe was recorded with: the live node accepted them.
func TestRecordedResponsesAreWhatTheModelExpects(t *testing.T) {
	checked := 0
	for _, tr := range loadTranscripts(t) {
		ohais := make(map[wire.HandshakeID]*wire.Handshake)
		for i := range tr.Datagrams {
			d := &tr.Datagrams[i]
			_, h, _ := parse(d)
			switch {
			case h == nil:
			case h.Step == wire.StepOhai:
				ohais[h.ID] = h
			case h.Step == wire.StepOkBoss && ohais[h.ID] != nil:
				ohai := ohais[h.ID]
				k := newKey(tr.PSK[len(tr.PSK)-1])
				want := k.response(&ohai.Challenge, &ohai.PublicKey, h.ID)
				if slices.Contains(h.Responses, want) == d.is("bad_response") {
					t.Errorf("%s: %s", tr.Name, d.Note)
				}
				checked++
			}
		}
	}
	if checked < 20 {
		t.Errorf("%d responses checked", checked)
	}
}
