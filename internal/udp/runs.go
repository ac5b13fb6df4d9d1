package udp

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gwyh-go/gwyh/internal/quota"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Bounds of the record of paths that do not accept runs.
const (
	runPauseMin = time.Minute // before a path is tried again; doubles with each failure
	runPauseMax = time.Hour
	runPaths    = 1024 // paths; beyond that, the least recently used one is forgotten and tried again
)

// runs records where datagrams may be written as one run (UDP_SEGMENT). It is safe for concurrent use.
type runs struct {
	system atomic.Bool // the system supports runs
	mu     sync.Mutex
	paths  *quota.Map[netip.Addr, runPause] // paths on which the last run failed; nil until one fails
}

// A runPause disables runs on one path for a while.
type runPause struct {
	size  int // bytes of the smallest datagram that failed as part of a run
	until time.Time
	pause time.Duration
}

// A runVerdict is the conclusion from a run's error when the same datagrams were written one by one.
type runVerdict uint8

const (
	runPassing runVerdict = iota // no conclusion: the next run may be tried
	runTooWide                   // the path does not accept runs of datagrams of that size
	runNotHere                   // the interface of the path does not accept runs
	runNever                     // the system does not support runs
)

// allows reports whether datagrams of size bytes may be written to an address as one run.
func (r *runs) allows(to netip.Addr, size int) bool {
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

// went records that a run of datagrams of size bytes was written to an address.
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

// failed records that a run to an address failed although its datagrams were written one by one.
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
	case time.Now().Before(p.until): // a smaller size than the one known to fail
		p.size = min(p.size, size)
	default:
		p = runPause{size: size, pause: min(2*p.pause, runPauseMax)}
	}
	p.until = time.Now().Add(p.pause)
	r.paths.Set(to, p)
}

// takesRun reports whether a run of datagrams of size bytes may be written to an address.
func (c *Conn) takesRun(to netip.Addr, size int) bool {
	return c.Reaches(to) && c.runs.allows(to, size)
}

// WriteEach sends the datagrams that lie end to end in b. Each has size bytes, except that the last may be shorter. A
// single socket writes them as one run in one system call if the system and the path support that. Otherwise WriteEach
// writes them one by one. It calls failed for each datagram that the system did not accept.
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

// writeRunFrom writes a run from path.Local, or from any address if the machine has lost that one, as Write does.
func (c *Conn) writeRunFrom(path wire.Path, b []byte, size int) error {
	path.Remote = unmap(path.Remote)
	oob := c.control(path)
	err := c.writeRun(b, oob, path.Remote, size)
	if err != nil && oob != nil && isLostSource(err) {
		err = c.writeRun(b, nil, path.Remote, size)
	}
	return err
}
