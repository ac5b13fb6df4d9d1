// Package words formats numbers, sizes and durations for people.
package words

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Many formats a number of things: "1 node", "25 nodes", "4,800 deliveries".
func Many(n int, what string) string {
	switch stem, isY := strings.CutSuffix(what, "y"); {
	case n == 1:
	case isY:
		what = stem + "ies"
	case strings.HasSuffix(what, "sh"):
		what += "es"
	default:
		what += "s"
	}
	return Grouped(n) + " " + what
}

// Grouped formats n with commas between thousands.
func Grouped(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Rates formats packets and bytes per second.
func Rates(packets, bytes float64) string {
	return fmt.Sprintf("%s packets/s, %s/s", Figure(packets), Bytes(bytes))
}

// Figure formats a number with two or three digits.
func Figure(v float64) string {
	switch {
	case v < 10:
		return fmt.Sprintf("%.2f", v)
	case v < 100:
		return fmt.Sprintf("%.1f", v)
	}
	return Grouped(int(v + 0.5))
}

// Bytes formats a number of bytes.
func Bytes(v float64) string {
	for _, unit := range []string{"B", "kB", "MB"} {
		if v < 1000 {
			if unit == "B" {
				return fmt.Sprintf("%.0f B", v)
			}
			return fmt.Sprintf("%.3g %s", v, unit)
		}
		v /= 1000
	}
	return fmt.Sprintf("%.3g GB", v)
}

// UnitOf returns the most readable unit for d.
func UnitOf(d time.Duration) (time.Duration, string) {
	switch {
	case d < time.Millisecond:
		return time.Microsecond, "µs"
	case d < time.Second:
		return time.Millisecond, "ms"
	default:
		return time.Second, "s"
	}
}

// Short formats d with two or three digits.
func Short(d time.Duration) string {
	unit, name := UnitOf(d)
	v := float64(d) / float64(unit)
	decimals := 0
	switch {
	case unit == time.Microsecond:
	case v < 10:
		decimals = 1
		if unit == time.Second {
			decimals = 2
		}
	case unit == time.Second:
		decimals = 1
	}
	return fmt.Sprintf("%.*f %s", decimals, v, name)
}
