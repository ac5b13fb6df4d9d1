package main

import (
	"strconv"
	"strings"
)

// many formats a number of things: "1 node", "25 nodes", "4,800 deliveries".
func many(n int, what string) string {
	switch stem, isY := strings.CutSuffix(what, "y"); {
	case n == 1:
	case isY:
		what = stem + "ies"
	default:
		what += "s"
	}
	return grouped(n) + " " + what
}

// grouped formats n with commas between thousands.
func grouped(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
