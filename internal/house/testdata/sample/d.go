package sample

// Alone has one dense condition; the one in the function literal counts separately.
func Alone(a, b, c, d bool) bool {
	ok := func() bool { return a && b }
	return (a || b) && (c || d) && ok()
}

const _ = 0
