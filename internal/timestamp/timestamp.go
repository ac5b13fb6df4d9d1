// Package timestamp encodes and parses the timestamps of handshakes, in exactly the forms that gwyh 0.1 writes and
// accepts. It never reads a clock. Package time accepts fewer forms and allocates.
package timestamp

import (
	"errors"
	"strconv"
	"time"
)

// ErrSyntax means that a text is not a timestamp.
var ErrSyntax = errors.New("timestamp: malformed")

// Append appends t in the form of gwyh 0.1 (PROTOCOL.md W8): RFC 3339 in UTC, with 0, 3, 6 or 9 digits of fraction,
// the fewest that are exact. A year outside 0 to 9999 has a sign.
func Append(b []byte, t time.Time) []byte {
	t = t.UTC()
	if y := t.Year(); y > 9999 {
		b = append(b, '+')
		b = strconv.AppendInt(b, int64(y), 10)
	} else {
		if y < 0 {
			b, y = append(b, '-'), -y
		}
		b = appendDigits(b, y, 4)
	}
	b = t.AppendFormat(b, "-01-02T15:04:05")
	switch ns := t.Nanosecond(); {
	case ns == 0:
	case ns%1e6 == 0:
		b = appendDigits(append(b, '.'), ns/1e6, 3)
	case ns%1e3 == 0:
		b = appendDigits(append(b, '.'), ns/1e3, 6)
	default:
		b = appendDigits(append(b, '.'), ns, 9)
	}
	return append(b, 'Z')
}

// appendDigits appends v, which must not be negative, with at least width digits.
func appendDigits(b []byte, v, width int) []byte {
	for limit := 10; width > 1; width-- {
		if v < limit {
			b = append(b, '0')
		}
		limit *= 10
	}
	return strconv.AppendInt(b, int64(v), 10)
}

// Parse parses a timestamp as gwyh 0.1 does and returns it in UTC. It accepts any number of fraction digits (and
// ignores those after the ninth), Z or an offset, and a signed year of up to six digits. Second 60 is the first
// second of the next minute.
func Parse(s []byte) (time.Time, error) {
	p := timeParser{s: s}
	year := p.year()
	p.one('-', '-', '-')
	month := p.digits(2, 1, 12)
	p.one('-', '-', '-')
	day := p.digits(2, 1, 31)
	p.one('T', 't', ' ')
	hour := p.digits(2, 0, 23)
	p.one(':', ':', ':')
	minute := p.digits(2, 0, 59)
	p.one(':', ':', ':')
	second := p.digits(2, 0, 60)
	ns := p.fraction()
	offset := p.offset()
	t := time.Date(year, time.Month(month), day, hour, minute, second, ns, time.UTC)
	if p.bad || len(p.s) > 0 || day > daysIn(year, time.Month(month)) {
		return time.Time{}, ErrSyntax
	}
	t = t.Add(-offset)
	if y := t.Year(); y < -yearMax || y > yearMax {
		return time.Time{}, ErrSyntax
	}
	return t, nil
}

// yearMax is approximately the limit of gwyh 0.1's time library.
const yearMax = 262_000

func daysIn(year int, month time.Month) int {
	return time.Date(year, month+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// A timeParser reads a timestamp from the start of s. A failure is final: it sets bad.
type timeParser struct {
	s   []byte
	bad bool
}

// one reads one of three characters and returns it.
func (p *timeParser) one(a, b, c byte) byte {
	if len(p.s) > 0 {
		if v := p.s[0]; v == a || v == b || v == c {
			p.s = p.s[1:]
			return v
		}
	}
	p.bad = true
	return 0
}

// digits reads exactly n digits, with a value between lowest and highest.
func (p *timeParser) digits(n, lowest, highest int) int {
	if p.run() < n {
		p.bad = true
		return lowest
	}
	v := 0
	for _, d := range p.s[:n] {
		v = 10*v + int(d-'0')
	}
	p.s = p.s[n:]
	if v < lowest || v > highest {
		p.bad = true
	}
	return v
}

// run returns the number of digits at the start of s.
func (p *timeParser) run() int {
	n := 0
	for n < len(p.s) && p.s[n] >= '0' && p.s[n] <= '9' {
		n++
	}
	return n
}

// year reads four digits, or a sign and four to six digits.
func (p *timeParser) year() int {
	if len(p.s) > 0 && (p.s[0] == '+' || p.s[0] == '-') {
		negative := p.s[0] == '-'
		p.s = p.s[1:]
		y := p.digits(min(max(p.run(), 4), 6), 0, 999_999)
		if negative {
			return -y
		}
		return y
	}
	return p.digits(4, 0, 9999)
}

// fraction reads an optional point with digits, and returns nanoseconds.
func (p *timeParser) fraction() int {
	if len(p.s) == 0 || p.s[0] != '.' {
		return 0
	}
	p.s = p.s[1:]
	n := p.run()
	p.bad = p.bad || n == 0
	ns := 0
	for i := range 9 {
		ns *= 10
		if i < n {
			ns += int(p.s[i] - '0')
		}
	}
	p.s = p.s[n:]
	return ns
}

// offset reads Z, or a sign with hours and minutes.
func (p *timeParser) offset() time.Duration {
	if len(p.s) > 0 && (p.s[0] == 'Z' || p.s[0] == 'z') {
		p.s = p.s[1:]
		return 0
	}
	sign := p.one('+', '-', '-')
	hours := p.digits(2, 0, 23)
	if len(p.s) > 0 && p.s[0] == ':' {
		p.s = p.s[1:]
	}
	minutes := p.digits(2, 0, 59)
	d := time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute
	if sign == '-' {
		return -d
	}
	return d
}
