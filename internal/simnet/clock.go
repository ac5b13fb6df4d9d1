package simnet

import (
	"fmt"
	"time"
	"unsafe"
)

// A host gets the same kind of time.Time that time.Now returns on a real machine: a wall-clock reading, which
// SetClockOffset moves, and a monotonic reading, which is the network's time and never jumps. Sub, Before, After and
// Add use the monotonic reading; UTC and UnixNano use the wall clock. A clock jump therefore exposes the same
// mistakes as in production. In particular, a NextTimeout derived from the `now` of an input keeps its moment when
// the wall clock jumps, and the difference between the times of two hosts is right whatever their wall clocks show.
//
// The time package makes such values only from the real clock, so the code below uses unsafe once and checks the
// result.

// layout mirrors the memory layout of time.Time since Go 1.9.
type layout struct {
	wall uint64         // 1 bit: has a monotonic reading; 33: seconds since 1885; 30: nanoseconds
	ext  int64          // the monotonic reading, nanoseconds
	loc  *time.Location // nil: UTC
}

// Both declarations fail to compile if the sizes of time.Time and layout differ.
var (
	_ [unsafe.Sizeof(time.Time{}) - unsafe.Sizeof(layout{})]struct{}
	_ [unsafe.Sizeof(layout{}) - unsafe.Sizeof(time.Time{})]struct{}
)

// clockAt returns a time that reads as wall on the wall clock and zero on the monotonic one.
func clockAt(wall time.Time) time.Time {
	const hasMonotonic = 1 << 63
	epoch := time.Date(1885, time.January, 1, 0, 0, 0, 0, time.UTC).Unix()
	sec, nsec := wall.Unix()-epoch, int64(wall.Nanosecond())
	if sec < 0 || sec >= 1<<33 {
		panic(fmt.Sprintf("simnet: wall clock at %v is out of range", wall))
	}
	l := layout{wall: hasMonotonic | uint64(sec)<<30 | uint64(nsec)}
	t := *(*time.Time)(unsafe.Pointer(&l))
	if !t.Equal(wall) || t.UnixNano() != wall.UnixNano() || t.Add(time.Hour).Sub(t) != time.Hour {
		panic("simnet: time.Time is not laid out as expected")
	}
	return t
}
