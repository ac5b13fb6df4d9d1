package udp

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gwyh-go/gwyh/internal/netns"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// listenIn returns a socket on all addresses of a namespace.
func listenIn(t *testing.T, s *netns.Space) (c *Conn) {
	t.Helper()
	err := s.Do(func() (err error) {
		c, err = Listen("udp", netip.MustParseAddrPort("0.0.0.0:0"))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
	return c
}

// counted records whether c writes datagrams as a run ("run") or singly ("one").
func counted(c *Conn) *[]string {
	var calls []string
	c.sendmsg = func(fd int, b, oob []byte, to unix.Sockaddr) error {
		calls = append(calls, kind(oob))
		return systemSendmsg(fd, b, oob, to)
	}
	return &calls
}

// kind returns "run" if the control messages make a run, and "one" otherwise.
func kind(oob []byte) string {
	messages, _ := unix.ParseSocketControlMessage(oob)
	for _, m := range messages {
		if m.Header.Level == unix.IPPROTO_UDP && m.Header.Type == unix.UDP_SEGMENT {
			return "run"
		}
	}
	return "one"
}

// failing makes c fail to write runs with the error runs, and to write single datagrams with the error ones.
func failing(c *Conn, runs, ones error) *[]string {
	var calls []string
	c.sendmsg = func(_ int, _, oob []byte, _ unix.Sockaddr) error {
		k := kind(oob)
		calls = append(calls, k)
		if k == "run" {
			return runs
		}
		return ones
	}
	return &calls
}

// write sends a run of datagrams of size bytes. It first clears the record of earlier writes.
func write(c *Conn, calls *[]string, path wire.Path, datagrams, size int) []string {
	*calls = nil
	Sockets{c}.WriteEach(path, make([]byte, datagrams*size), size, func([]byte, error) {})
	return slices.Clone(*calls)
}

func TestRunWhoseSourceAddressWentAwayLeavesFromAnother(t *testing.T) {
	space := netns.New(t)
	space.Address("lo", "10.9.1.1/32")
	from, in := listenIn(t, space), listenIn(t, space)
	path := wire.Path{Remote: netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), in.LocalAddr().Port()), Local: netip.MustParseAddr("10.9.1.1")}
	calls := counted(from)
	if got := write(from, calls, path, 2, 100); !slices.Equal(got, []string{"run"}) {
		t.Fatalf("with the address: %v", got)
	}
	space.RemoveAddress("lo", "10.9.1.1/32")
	for range 2 {
		if got := write(from, calls, path, 2, 100); !slices.Equal(got, []string{"run", "run"}) {
			t.Errorf("without the address: %v", got)
		}
	}
	for i := range 6 {
		if b, _ := read(t, in); len(b) != 100 {
			t.Errorf("datagram %d has %d bytes", i, len(b))
		}
	}
}

func TestPathThatIsTooNarrowForARunKeepsItsRunsOnly(t *testing.T) {
	here, there := netns.New(t), netns.New(t)
	here.Cable("eth0", there, "eth0")
	here.MTU("eth0", 1280)
	here.Address("eth0", "10.9.0.1/24")
	there.Address("eth0", "10.9.0.2/24")
	here.Up("eth0")
	there.Up("eth0")
	from, far, near := listenIn(t, here), listenIn(t, there), listenIn(t, here)
	narrow := wire.Path{Remote: netip.AddrPortFrom(netip.MustParseAddr("10.9.0.2"), far.LocalAddr().Port())}
	wide := wire.Path{Remote: netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), near.LocalAddr().Port())}
	calls := counted(from)
	for i, x := range []struct {
		path wire.Path
		size int
		want []string
	}{
		{narrow, 1400, []string{"run", "one", "one"}},
		{narrow, 1400, []string{"one", "one"}},
		{narrow, 1200, []string{"run"}},
		{narrow, 1400, []string{"one", "one"}},
		{wide, 1400, []string{"run"}},
	} {
		if got := write(from, calls, x.path, 2, x.size); !slices.Equal(got, x.want) {
			t.Errorf("%d: %d bytes to %s: %v, want %v", i, x.size, x.path.Remote, got, x.want)
		}
	}
	for range 8 {
		read(t, far) // the system fragments a datagram that is written alone
	}
}

func TestPassingErrorOfARunIsNotRemembered(t *testing.T) {
	path := wire.Path{Remote: netip.MustParseAddrPort("127.0.0.1:9")}
	for _, errno := range []unix.Errno{unix.EAGAIN, unix.ENOBUFS, unix.ENOMEM, unix.EPERM, unix.EACCES, unix.ENETUNREACH, unix.EHOSTUNREACH,
		unix.EADDRNOTAVAIL, unix.ENETDOWN, unix.ECONNREFUSED} {
		t.Run(unix.ErrnoName(errno), func(t *testing.T) {
			c := listen(t, "udp", "127.0.0.1:0")
			calls := failing(c, errno, nil)
			for range 2 {
				if got := write(c, calls, path, 2, 100); !slices.Equal(got, []string{"run", "one", "one"}) {
					t.Errorf("written as %v", got)
				}
			}
		})
	}
}

func TestErrorThatSingleDatagramsDrawAsWellSaysNothingAboutRuns(t *testing.T) {
	path := wire.Path{Remote: netip.MustParseAddrPort("127.0.0.1:9")}
	for _, errno := range []unix.Errno{unix.EINVAL, unix.EIO, unix.EMSGSIZE, unix.ENOPROTOOPT} {
		c := listen(t, "udp", "127.0.0.1:0")
		calls := failing(c, errno, errno)
		for range 2 {
			if got := write(c, calls, path, 2, 100); !slices.Equal(got, []string{"run", "one", "one"}) {
				t.Errorf("%s: written as %v", unix.ErrnoName(errno), got)
			}
		}
	}
}

func TestSystemThatKnowsNoRunsIsNotAskedAgain(t *testing.T) {
	for _, errno := range []unix.Errno{unix.ENOPROTOOPT, unix.EOPNOTSUPP} {
		c := listen(t, "udp", "127.0.0.1:0")
		calls := failing(c, errno, nil)
		for i, want := range [][]string{{"run", "one", "one"}, {"one", "one"}} {
			path := wire.Path{Remote: netip.MustParseAddrPort(fmt.Sprintf("127.0.0.%d:9", i+1))}
			if got := write(c, calls, path, 2, 100); !slices.Equal(got, want) {
				t.Errorf("%s: written as %v, want %v", unix.ErrnoName(errno), got, want)
			}
		}
	}
}

func TestPathThatTakesNoRunsIsTriedAgainLater(t *testing.T) {
	for _, errno := range []unix.Errno{unix.EIO, unix.EINVAL, unix.EMSGSIZE} {
		c := listen(t, "udp", "127.0.0.1:0")
		synctest.Test(t, func(t *testing.T) {
			to := netip.MustParseAddr("10.0.0.1")
			begin := time.Now()
			for i, want := range []time.Duration{0, runPauseMin, 3 * runPauseMin, 7 * runPauseMin} {
				for !c.runs.allows(to, 1400) {
					time.Sleep(time.Second)
				}
				if got := time.Since(begin); got != want {
					t.Errorf("%s: run %d after %v, want %v", unix.ErrnoName(errno), i, got, want)
				}
				c.runs.failed(to, 1400, verdictOnRuns(errno))
			}
			time.Sleep(runPauseMax)
			c.runs.went(to, 1400)
			c.runs.failed(to, 1400, verdictOnRuns(errno))
			time.Sleep(runPauseMin)
			if !c.runs.allows(to, 1400) {
				t.Errorf("%s: the pause after a run that went is not the first one", unix.ErrnoName(errno))
			}
		})
	}
}

func TestInterfaceThatTakesNoRunsTakesNoneOfAnySize(t *testing.T) {
	var r runs
	r.system.Store(true)
	to := netip.MustParseAddr("10.0.0.1")
	r.failed(to, 1400, verdictOnRuns(unix.EIO))
	if r.allows(to, 100) {
		t.Error("smaller runs are tried")
	}
}

func TestPathsThatTakeNoRunsAreBounded(t *testing.T) {
	var r runs
	r.system.Store(true)
	path := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}) }
	for i := range 3 * runPaths {
		r.failed(path(i), 1400, runTooWide)
		if n := r.paths.Len(); n > runPaths {
			t.Fatalf("%d paths are remembered", n)
		}
	}
	if r.failed(path(3*runPaths), 1400, runTooWide); r.allows(path(3*runPaths-1), 1400) {
		t.Error("a path that failed a moment ago is forgotten for another one")
	}
}
