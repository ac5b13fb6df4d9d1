package wire

import (
	"slices"
	"time"
	"unicode/utf8"

	"github.com/gwyh-go/gwyh/internal/timestamp"
)

// A Step is one of the steps of a handshake.
type Step uint8

const (
	StepHello  Step = iota
	StepOhai        // answers a Hello
	StepOkBoss      // answers an Ohai
	StepGoTeam      // completes a handshake with gwyh 0.1
	StepDead        // defined by gwyh 0.1, never sent
	StepCookie      // requests a Go node to repeat its Hello with a cookie (PROTOCOL.md E9)
)

// String returns the name of the step as it is encoded.
func (s Step) String() string { return stepNames[s] }

var stepNames = [...]string{"Hello", "Ohai", "OkBoss", "GoTeam", "Dead", "Cookie"}

// PROTOCOL.md W7.
const (
	// ZoneMax is the maximum length of a zone's name in bytes.
	ZoneMax = 255
	// CookieSize is the length of a cookie in bytes.
	CookieSize = 16
	// HmacMessageMax is the longest message of an Hmac that ParseHandshake accepts, in bytes; gwyh 0.1 sends at most 419.
	HmacMessageMax = 1024
	// HmacsMax is the number of Hmacs that ParseHandshake keeps (PROTOCOL.md H1).
	HmacsMax = 4
	// ResponsesMax is the number of responses that ParseHandshake keeps.
	ResponsesMax = 8
)

// An Hmac proves knowledge of a pre-shared key.
type Hmac struct {
	Sum     [64]byte
	Message []byte // 69 to 419 bytes if sent by Go or legacy nodes
}

// A Handshake is one step of a handshake (PROTOCOL.md part 1):
//
//	Handshake = [id bin(16), step]
//	 Hello    = {"Hello":  [pk bin(32), zone nil|str, [Hmac...], timestamp str]}
//	 Ohai     = {"Ohai":   [pk bin(32), zone nil|str, [Hmac...], challenge ARRAY(69)]}
//	 OkBoss   = {"OkBoss": [[response ARRAY(64)...]]}
//	 Cookie   = {"Cookie": bin(16)}
//	 "GoTeam" | "Dead"
//	Hmac      = [hmac bin(64), message ARRAY]
type Handshake struct {
	ID        HandshakeID
	Step      Step
	PublicKey [32]byte   // Hello, Ohai
	Zone      Zone       // Hello, Ohai
	Hmacs     []Hmac     // Hello, Ohai; the first HmacsMax if parsed
	Timestamp time.Time  // Hello; UTC; if parsed it may be of any year, even beyond UnixNano
	Challenge [69]byte   // Ohai
	Responses [][64]byte // OkBoss; the first ResponsesMax if parsed
	Cookie    [CookieSize]byte
}

// hasValue reports whether the step has a value.
func (s Step) hasValue() bool { return s <= StepOkBoss || s == StepCookie }

var (
	handshakeFields = fields{names: []string{"id", "step"}}
	helloFields     = fields{names: []string{"pk", "zone", "hmacs", "timestamp"}, optional: 1 << 1}
	ohaiFields      = fields{names: []string{"pk", "zone", "hmacs", "challenge"}, optional: 1 << 1}
	okBossFields    = fields{names: []string{"responses"}}
	hmacFields      = fields{names: []string{"hmac", "message"}}
)

// AppendHandshake appends a whole packet with h. Byte strings are encoded as in gwyh 0.1 for every receiver.
func AppendHandshake(b []byte, seq uint32, sender NodeID, h *Handshake) []byte {
	b = appendPacketHead(b, seq, &sender)
	b = append(b, tagFixMap|1, tagFixStr|1, 'H')
	if h.Step == StepCookie { // not by go-msgpack, because any sender can cause Cookies at any rate
		b = appendUUID(append(b, tagFixArray|2), (*[16]byte)(&h.ID))
		b = append(append(b, tagFixMap|1, tagFixStr|byte(len("Cookie"))), "Cookie"...)
		return append(append(b, tagBin8, CookieSize), h.Cookie[:]...)
	}
	return appendValue(b, handshakeValue{ID: h.ID[:], Step: stepValue(h)})
}

// The types that go-msgpack encodes, with their fields in the order of the encoding.
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
			Timestamp: string(timestamp.Append(nil, h.Timestamp)),
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

// ParseHandshake parses p.Handshake, and copies what it keeps. It reuses the memory of h.Hmacs and h.Responses, so
// reusing a Handshake avoids allocations. After an error p and the fields of h are unchanged, but the elements of Hmacs
// and Responses are undefined. Otherwise the bytes after the Handshake are moved to p.Rest.
func (p *Packet) ParseHandshake(h *Handshake) error {
	v := Handshake{Hmacs: h.Hmacs[:0:cap(h.Hmacs)], Responses: h.Responses[:0:cap(h.Responses)]}
	c := cursor{b: p.Handshake}
	r := c.record(&handshakeFields)
	for f := r.next(&c); f >= 0; f = r.next(&c) {
		switch f {
		case 0:
			c.uuid((*[16]byte)(&v.ID))
		case 1:
			v.Step = c.step()
			c.stepBody(&v, h.Zone.Name)
		}
	}
	if c.err != nil {
		return c.err
	}
	if *h, p.Handshake = v, p.Handshake[:c.i]; len(p.Rest) == 0 {
		p.Rest = c.rest()
	}
	return nil
}

// PeekHandshake reads the fields that determine whether a packet is expected. It does not check the rest, so it
// costs much less than ParseHandshake.
func PeekHandshake(b []byte) (id HandshakeID, step Step, err error) {
	c := cursor{b: b}
	r := c.record(&handshakeFields)
	for f := r.next(&c); f >= 0; f = r.next(&c) {
		switch {
		case f == 0:
			c.uuid((*[16]byte)(&id))
		case r.byName && r.left > 0: // the id comes later in the map
			step = c.step()
			if step.hasValue() {
				c.skip()
			}
		default:
			step = c.step()
			return id, step, c.err
		}
	}
	return id, step, c.err
}

// PeekHmac copies the start of the first Hmac's message in the Handshake of a Hello into buf and returns it. The
// result is empty if there is no Hmac, or if the Handshake is malformed up to there.
func PeekHmac(buf, b []byte) []byte {
	c := cursor{b: b}
	if !c.seek(&handshakeFields, 1) {
		return nil
	}
	c.variant()
	if !c.seek(&helloFields, 2) || c.arrayLen() == 0 || !c.seek(&hmacFields, 1) {
		return nil
	}
	return c.prefix(buf)
}

// seek opens a struct and moves to the value of one of its fields. It reports whether the field is there.
func (c *cursor) seek(def *fields, field int) bool {
	r := c.record(def)
	for f := r.next(c); f >= 0; f = r.next(c) {
		if f == field {
			return c.err == nil
		}
		c.skip()
	}
	return false
}

// prefix reads the first len(buf) bytes, or all, of a byte string, and leaves the cursor inside the string.
func (c *cursor) prefix(buf []byte) []byte {
	if !isArray(c.peek()) {
		return buf[:copy(buf, c.bin())]
	}
	buf = buf[:min(uint(len(buf)), c.arrayLen())]
	c.integers(buf)
	if c.err != nil {
		return nil
	}
	return buf
}

// step reads the name of a step. If the step has a value, it is read next.
func (c *cursor) step() Step {
	name, hasValue := c.variant()
	i := slices.Index(stepNames[:], string(name))
	if i < 0 || hasValue != Step(i).hasValue() {
		c.fail(ErrMalformed)
		return 0
	}
	return Step(i)
}

// stepBody reads the value of h.Step. zone is the probable name of the zone.
func (c *cursor) stepBody(h *Handshake, zone string) {
	switch h.Step {
	case StepHello:
		c.hello(h, &helloFields, zone)
	case StepOhai:
		c.hello(h, &ohaiFields, zone)
	case StepOkBoss:
		c.okBoss(h)
	case StepCookie:
		c.exact(h.Cookie[:])
	}
}

// hello reads a Hello or an Ohai, which differ in their last field.
func (c *cursor) hello(h *Handshake, def *fields, zone string) {
	r := c.record(def)
	for f := r.next(c); f >= 0; f = r.next(c) {
		switch {
		case f == 0:
			c.exact(h.PublicKey[:])
		case f == 1:
			h.Zone = c.zone(zone)
		case f == 2:
			h.Hmacs = c.hmacs(h.Hmacs)
		case h.Step == StepHello:
			h.Timestamp = c.timestamp()
		default:
			c.exact(h.Challenge[:])
		}
	}
}

// hmacs reads a list of Hmacs into the memory of list, and skips those after HmacsMax.
func (c *cursor) hmacs(list []Hmac) []Hmac {
	list = list[:0]
	for n := c.arrayLen(); n > 0 && c.err == nil; n-- {
		if len(list) == HmacsMax {
			c.skip()
			continue
		}
		if len(list) < cap(list) {
			list = list[:len(list)+1]
		} else {
			list = append(list, Hmac{})
		}
		c.hmac(&list[len(list)-1])
	}
	return list
}

func (c *cursor) hmac(v *Hmac) {
	r := c.record(&hmacFields)
	for f := r.next(c); f >= 0; f = r.next(c) {
		switch f {
		case 0:
			c.exact(v.Sum[:])
		case 1:
			var buf [HmacMessageMax]byte
			v.Message = append(v.Message[:0], c.atMost(buf[:])...)
		}
	}
}

// okBoss reads the responses and skips those after ResponsesMax.
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

// zone reads nil or a name, which must be UTF-8 as in gwyh 0.1. A name equal to likely is not copied.
func (c *cursor) zone(likely string) Zone {
	if c.isNil() {
		return Zone{}
	}
	s := c.str()
	if len(s) > ZoneMax || !utf8.Valid(s) {
		c.fail(ErrMalformed)
	}
	if string(s) == likely {
		return Zone{Name: likely, Valid: c.err == nil}
	}
	return Zone{Name: string(s), Valid: c.err == nil}
}

func (c *cursor) timestamp() time.Time {
	s := c.str()
	if c.err != nil {
		return time.Time{}
	}
	t, err := timestamp.Parse(s)
	if err != nil {
		c.fail(ErrMalformed)
	}
	return t
}
