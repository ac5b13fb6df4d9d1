package udp

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gwyh-go/gwyh/internal/quota"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Bounds of what a socket remembers of paths that take no runs.
const (
	runPauseMin = time.Minute // after which a path is tried again, doubled each time it still takes none
	runPauseMax = time.Hour
	runPaths    = 1024 // paths; of more, the one longest unused is forgotten and tried once more
)

// runs is what is known of where datagrams may be written as one run (UDP_SEGMENT). Safe for concurrent use.
type runs struct {
	system atomic.Bool // the system takes runs
	mu     sync.Mutex
	paths  *quota.Map[netip.Addr, runPause] // where the last run failed because of the path; nil while none has
}

// runPause keeps runs from one path for a while.
type runPause struct {
	size  int // bytes of the smallest datagram that did not go as part of a run
	until time.Time
	pause time.Duration
}

// runVerdict is what the error of a run says about runs, when the same datagrams went one by one.
type runVerdict uint8

const (
	runPassing runVerdict = iota // nothing: the next run may go
	runTooWide                   // the path takes no runs of datagrams of that size
	runNotHere                   // the interface of the path takes none
	runNever                     // the system takes none
)

// may reports whether datagrams of size bytes may be written to an address as one run.
func (r *runs) may(to netip.Addr, size int) bool {
	if !r.system.Load() {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.paths == nil {
		return true
	}
	p, ok := r.paths.Get(to)
	return !ok || size < p.size || !time.Now().Before(p.until)
}

// went notes that a run of datagrams of size bytes went to an address.
func (r *runs) went(to netip.Addr, size int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.paths == nil {
		return
	}
	if p, ok := r.paths.Get(to); ok && size >= p.size {
		r.paths.Delete(to)
	}
}

// failed notes that a run to an address failed, although its datagrams went one by one.
func (r *runs) failed(to netip.Addr, size int, v runVerdict) {
	switch v {
	case runPassing:
		return
	case runNever:
		r.system.Store(false)
		return
	case runNotHere:
		size = 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.paths == nil {
		m := quota.NewMap[netip.Addr, runPause](runPaths)
		r.paths = &m
	}
	p, known := r.paths.Get(to)
	switch {
	case !known:
		p = runPause{size: size, pause: runPauseMin}
	case time.Now().Before(p.until): // a smaller size than the one that is known not to go
		p.size = min(p.size, size)
	default:
		p = runPause{size: size, pause: min(2*p.pause, runPauseMax)}
	}
	p.until = time.Now().Add(p.pause)
	r.paths.Set(to, p)
}

// takesRun reports whether a run of datagrams of that size may be written to an address.
func (c *Conn) takesRun(to netip.Addr, size int) bool { return c.Reaches(to) && c.runs.may(to, size) }

// WriteEach sends the datagrams that lie end to end in b, of size bytes each but the last, which may have fewer. A
// single socket writes them as one run, with one system call, where system and path take that; otherwise they are
// written one by one. failed is told of each datagram that the system did not take, and why.
func (s Sockets) WriteEach(path wire.Path, b []byte, size int, failed func(datagram []byte, err error)) {
	to := path.Remote.Addr().Unmap()
	var refused error
	if len(s) == 1 && len(b) > size && s[0].takesRun(to, size) {
		if refused = s[0].writeRunFrom(path, b, size); refused == nil {
			s[0].runs.went(to, size)
			return
		}
	}
	all := true
	for len(b) > 0 {
		datagram := b[:min(size, len(b))]
		b = b[len(datagram):]
		if err := s.Write(path, datagram); err != nil {
			all = false
			failed(datagram, err)
		}
	}
	if refused != nil && all {
		s[0].runs.failed(to, size, verdictOnRuns(refused))
	}
}

// writeRunFrom writes a run as Write writes a datagram: from path.Local unless the machine has lost that address.
func (c *Conn) writeRunFrom(path wire.Path, b []byte, size int) error {
	path.Remote = unmap(path.Remote)
	oob := c.control(path)
	err := c.writeRun(b, oob, path.Remote, size)
	if err != nil && oob != nil && isLostSource(err) {
		err = c.writeRun(b, nil, path.Remote, size)
	}
	return err
}
