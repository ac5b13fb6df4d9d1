package wire

import (
	"bytes"
	"slices"
	"time"
	"unicode/utf8"
)

// A Step is one of the steps of a handshake.
type Step uint8

const (
	StepHello  Step = iota
	StepOhai        // answers a Hello
	StepOkBoss      // answers an Ohai
	StepGoTeam      // ends a handshake with gwyh 0.1
	StepDead        // known to gwyh 0.1, never sent
)

// String is the step's name on the wire.
func (s Step) String() string { return stepNames[s] }

var stepNames = [...]string{"Hello", "Ohai", "OkBoss", "GoTeam", "Dead"}

const (
	// ZoneMax bounds the bytes of a zone's name.
	ZoneMax = 255
	// HmacMessageMax bounds the message of an Hmac that ParseHandshake takes; 419 is the most that
	// gwyh 0.1 sends.
	HmacMessageMax = 1024
	// HmacsMax is how many Hmacs ParseHandshake keeps (PROTOCOL.md 4, handshake economy).
	HmacsMax = 4
	// ResponsesMax is how many responses ParseHandshake keeps.
	ResponsesMax = 8
)

// An Hmac proves knowledge of a pre-shared key.
type Hmac struct {
	Sum     [64]byte
	Message []byte // 69 to 419 bytes when emitted by either side
}

// A Handshake is one step of a handshake (PROTOCOL.md 1):
//
//	Handshake = [id bin(16), step]
//	 Hello    = {"Hello":  [pk bin(32), zone nil|str, [Hmac...], timestamp str]}
//	 Ohai     = {"Ohai":   [pk bin(32), zone nil|str, [Hmac...], challenge ARRAY(69)]}
//	 OkBoss   = {"OkBoss": [[response ARRAY(64)...]]}
//	 "GoTeam" | "Dead"
//	Hmac      = [hmac bin(64), message ARRAY]
type Handshake struct {
	ID        HandshakeID
	Step      Step
	PublicKey [32]byte   // Hello, Ohai
	Zone      Zone       // Hello, Ohai
	Hmacs     []Hmac     // Hello, Ohai; the first HmacsMax when parsed
	Timestamp time.Time  // Hello; UTC; when parsed of any year, so beyond UnixNano too
	Challenge [69]byte   // Ohai
	Responses [][64]byte // OkBoss; the first ResponsesMax when parsed
}

var (
	handshakeFields = fields{names: []string{"id", "step"}}
	helloFields     = fields{names: []string{"pk", "zone", "hmacs", "timestamp"}, optional: 1 << 1}
	ohaiFields      = fields{names: []string{"pk", "zone", "hmacs", "challenge"}, optional: 1 << 1}
	okBossFields    = fields{names: []string{"responses"}}
	hmacFields      = fields{names: []string{"hmac", "message"}}
)

// AppendHandshake appends a whole packet with h. Byte strings are written as gwyh 0.1 does, to
// whomever it goes.
func AppendHandshake(b []byte, seq uint32, sender NodeID, h *Handshake) []byte {
	b = appendPacketHead(b, seq, &sender)
	b = append(b, tagFixMap|1, tagFixStr|1, 'H')
	return appendValue(b, handshakeValue{ID: h.ID[:], Step: stepValue(h)})
}

// The types that go-msgpack writes, in the order of the fields on the wire.
type (
	handshakeValue struct {
		ID   []byte
		Step any
	}
	helloValue struct {
		PublicKey []byte
		Zone      *string
		Hmacs     []hmacValue
		Timestamp string
	}
	ohaiValue struct {
		PublicKey []byte
		Zone      *string
		Hmacs     []hmacValue
		Challenge []uint16
	}
	okBossValue struct {
		Responses [][]uint16
	}
	hmacValue struct {
		Sum     []byte
		Message []uint16
	}
)

func stepValue(h *Handshake) any {
	name := h.Step.String()
	switch h.Step {
	case StepHello:
		return map[string]helloValue{name: {
			PublicKey: h.PublicKey[:],
			Zone:      zoneValue(h.Zone),
			Hmacs:     hmacValues(h.Hmacs),
			Timestamp: string(AppendTimestamp(nil, h.Timestamp)),
		}}
	case StepOhai:
		return map[string]ohaiValue{name: {
			PublicKey: h.PublicKey[:],
			Zone:      zoneValue(h.Zone),
			Hmacs:     hmacValues(h.Hmacs),
			Challenge: integers(h.Challenge[:]),
		}}
	case StepOkBoss:
		v := make([][]uint16, len(h.Responses))
		for i := range h.Responses {
			v[i] = integers(h.Responses[i][:])
		}
		return map[string]okBossValue{name: {Responses: v}}
	}
	return name
}

func hmacValues(hmacs []Hmac) []hmacValue {
	v := make([]hmacValue, len(hmacs))
	for i := range hmacs {
		v[i] = hmacValue{Sum: hmacs[i].Sum[:], Message: integers(hmacs[i].Message)}
	}
	return v
}

// ParseHandshake parses b, the Handshake of a Packet, and copies what it keeps; b stays as it was.
// After an error h is as it was.
func ParseHandshake(h *Handshake, b []byte) error {
	var v Handshake
	c := cursor{b: b}
	r := c.record(&handshakeFields)
	for f := r.next(&c); f >= 0; f = r.next(&c) {
		switch f {
		case 0:
			c.uuid((*[16]byte)(&v.ID))
		case 1:
			c.step(&v)
		}
	}
	if c.err != nil {
		return c.err
	}
	*h = v
	return nil
}

func (c *cursor) step(h *Handshake) {
	name, hasValue := c.variant()
	i := slices.Index(stepNames[:], string(name))
	if i < 0 || hasValue != (Step(i) <= StepOkBoss) {
		c.fail(ErrMalformed)
		return
	}
	h.Step = Step(i)
	switch h.Step {
	case StepHello:
		c.hello(h, &helloFields)
	case StepOhai:
		c.hello(h, &ohaiFields)
	case StepOkBoss:
		c.okBoss(h)
	}
}

// hello reads a Hello or an Ohai, which differ in their last field.
func (c *cursor) hello(h *Handshake, def *fields) {
	r := c.record(def)
	for f := r.next(c); f >= 0; f = r.next(c) {
		switch {
		case f == 0:
			c.exact(h.PublicKey[:])
		case f == 1:
			h.Zone = c.zone()
		case f == 2:
			h.Hmacs = c.hmacs()
		case h.Step == StepHello:
			h.Timestamp = c.timestamp()
		default:
			c.exact(h.Challenge[:])
		}
	}
}

// hmacs reads a list of Hmacs and steps over those beyond HmacsMax.
func (c *cursor) hmacs() []Hmac {
	var list []Hmac
	for n := c.arrayLen(); n > 0 && c.err == nil; n-- {
		if len(list) == HmacsMax {
			c.skip()
			continue
		}
		list = append(list, c.hmac())
	}
	return list
}

func (c *cursor) hmac() Hmac {
	var v Hmac
	r := c.record(&hmacFields)
	for f := r.next(c); f >= 0; f = r.next(c) {
		switch f {
		case 0:
			c.exact(v.Sum[:])
		case 1:
			var buf [HmacMessageMax]byte
			v.Message = bytes.Clone(c.atMost(buf[:]))
		}
	}
	return v
}

// okBoss reads the responses and steps over those beyond ResponsesMax.
func (c *cursor) okBoss(h *Handshake) {
	r := c.record(&okBossFields)
	for r.next(c) == 0 {
		for n := c.arrayLen(); n > 0 && c.err == nil; n-- {
			if len(h.Responses) == ResponsesMax {
				c.skip()
				continue
			}
			var v [64]byte
			c.exact(v[:])
			h.Responses = append(h.Responses, v)
		}
	}
}

// zone reads nil or a name, which is UTF-8 as in gwyh 0.1.
func (c *cursor) zone() Zone {
	if c.isNil() {
		return Zone{}
	}
	s := c.str()
	if len(s) > ZoneMax || !utf8.Valid(s) {
		c.fail(ErrMalformed)
	}
	return Zone{Name: string(s), Valid: c.err == nil}
}

func (c *cursor) timestamp() time.Time {
	s := c.str()
	if c.err != nil {
		return time.Time{}
	}
	t, err := ParseTimestamp(s)
	if err != nil {
		c.fail(ErrMalformed)
	}
	return t
}
