package udp

import (
	"encoding/binary"
	"net"
	"net/netip"
	"runtime"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// batchSize is the number of datagrams, or merged datagrams, that one recvmmsg receives.
const batchSize = 8

// groSpace is the size of the control message that holds the segment size.
var groSpace = unix.CmsgSpace(4)

// bufferSize holds the largest merged datagram, in bytes.
const bufferSize = 1 << 16

// mmsghdr is struct mmsghdr of recvmmsg(2).
type mmsghdr struct {
	hdr unix.Msghdr
	len uint32
}

// batch holds the buffers of recvmmsg. The headers point into the other fields. The buffers are not on the Go heap,
// where they would let the collector keep that much more garbage. Only pages that were written to use memory, and rest
// releases those.
type batch struct {
	memory  []byte // backs all buffers
	used    int    // maximum number of buffers used by one call since the last rest
	touched bool   // more than one buffer was used since memory was last released
	headers [batchSize]mmsghdr
	names   [batchSize]unix.RawSockaddrInet6
	iovecs  [batchSize]unix.Iovec
	buffers [batchSize][]byte
	control [batchSize][]byte
	zones   map[uint32]string // interface names of link-local addresses
}

// newBatch enables merging of datagrams (UDP_GRO, Linux 5.0), which matters only for bursts. It returns nil if a
// sandbox forbids recvmmsg.
func newBatch(fd uintptr) *batch {
	if _, _, errno := unix.Syscall6(unix.SYS_RECVMMSG, fd, 0, 0, unix.MSG_DONTWAIT, 0, 0); errno == unix.ENOSYS || errno == unix.EPERM {
		return nil
	}
	_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_UDP, unix.UDP_GRO, 1)
	memory, err := unix.Mmap(-1, 0, batchSize*bufferSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return nil
	}
	b := &batch{memory: memory}
	runtime.AddCleanup(b, func(memory []byte) { _ = unix.Munmap(memory) }, memory)
	for i := range b.headers {
		b.buffers[i] = memory[i*bufferSize:][:bufferSize:bufferSize]
		b.control[i] = make([]byte, oobSize+groSpace)
		b.iovecs[i].Base = &b.buffers[i][0]
		b.iovecs[i].SetLen(bufferSize)
		h := &b.headers[i].hdr
		h.Name = (*byte)(unsafe.Pointer(&b.names[i]))
		h.Iov, h.Control = &b.iovecs[i], &b.control[i][0]
		h.SetIovlen(1)
	}
	return b
}

// try receives the available datagrams without waiting.
func (r *Reader) try(fd uintptr) {
	b := r.batch
	for i := range b.headers {
		b.headers[i].hdr.Namelen = unix.SizeofSockaddrInet6
		b.headers[i].hdr.SetControllen(len(b.control[i]))
	}
	for {
		n, _, errno := unix.Syscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&b.headers)), batchSize, unix.MSG_DONTWAIT, 0, 0)
		switch {
		case errno == 0:
			for i := range int(n) {
				r.add(i)
			}
			b.used = max(b.used, int(n))
			r.full = n == batchSize
			return
		case errno == unix.EAGAIN:
			return
		case errno != unix.EINTR && !isStale(errno):
			r.err = errno
			return
		}
	}
}

// rest releases the memory of the buffers after a burst.
func (b *batch) rest() {
	if b.touched && b.used <= 1 {
		b.touched = unix.Madvise(b.memory, unix.MADV_DONTNEED) != nil
	}
	b.touched = b.touched || b.used > 1
	b.used = 0
}

// add splits the content of the i-th buffer into datagrams.
func (r *Reader) add(i int) {
	b := r.batch
	h := &b.headers[i]
	path := wire.Path{Remote: b.remote(i), Local: r.c.local.Addr()}
	all := b.buffers[i][:min(int(h.len), bufferSize)]
	size := len(all)
	if n := int(h.hdr.Controllen); n > 0 {
		control := b.control[i][:min(n, len(b.control[i]))]
		if segment := parseSegment(control); segment > 0 {
			size = segment
		}
		if path.Local.IsUnspecified() {
			path.Local = parseLocal(control)
		}
	} else if path.Local.IsUnspecified() {
		path.Local = netip.Addr{}
	}
	for len(all) > size {
		r.got = append(r.got, wire.Datagram{Path: path, B: all[:size:size]})
		all = all[size:]
	}
	r.got = append(r.got, wire.Datagram{Path: path, B: all})
}

// remote returns the sender of the i-th datagram. Ports and addresses are in network byte order.
func (b *batch) remote(i int) netip.AddrPort {
	name := &b.names[i]
	port := binary.BigEndian.Uint16((*[2]byte)(unsafe.Pointer(&name.Port))[:])
	if name.Family == unix.AF_INET {
		return netip.AddrPortFrom(netip.AddrFrom4((*unix.RawSockaddrInet4)(unsafe.Pointer(name)).Addr), port)
	}
	a := netip.AddrFrom16(name.Addr).Unmap()
	if name.Scope_id != 0 && a.Is6() {
		a = a.WithZone(b.zone(name.Scope_id))
	}
	return netip.AddrPortFrom(a, port)
}

// zone returns the name of an interface as package net does.
func (b *batch) zone(index uint32) string {
	name, ok := b.zones[index]
	if !ok {
		name = strconv.FormatUint(uint64(index), 10)
		if i, err := net.InterfaceByIndex(int(index)); err == nil {
			name = i.Name
		}
		if b.zones == nil {
			b.zones = make(map[uint32]string)
		}
		b.zones[index] = name
	}
	return name
}

// parseSegment returns the segment size of a merged datagram, or 0 if the datagram is not merged.
func parseSegment(control []byte) int {
	for len(control) >= unix.SizeofCmsghdr {
		h, data, rest, err := unix.ParseOneSocketControlMessage(control)
		if err != nil {
			break
		}
		if h.Level == unix.IPPROTO_UDP && h.Type == unix.UDP_GRO && len(data) >= 4 {
			return int(binary.NativeEndian.Uint32(data))
		}
		control = rest
	}
	return 0
}
