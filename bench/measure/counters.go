// Package measure has the counters, the delivery tracker and the statistics.
package measure

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Counters is a snapshot of the counters of this process and its network namespace.
type Counters struct {
	At        time.Time `json:"-"`
	CPU       float64   // user+system seconds of the process
	UDPIn     float64   // /proc/self/net/snmp Udp InDatagrams
	UDPErr    float64   // Udp InErrors, which includes RcvbufErrors: datagrams lost at the socket
	LoPackets float64   // /proc/self/net/dev lo, received
	LoBytes   float64
}

// Snapshot reads all counters. Counters that the system does not offer are zero.
func Snapshot() Counters {
	c := Counters{At: time.Now()}
	var ru syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &ru) == nil {
		c.CPU = float64(ru.Utime.Sec+ru.Stime.Sec) + float64(ru.Utime.Usec+ru.Stime.Usec)/1e6
	}
	c.readUDP()
	c.readLoopback()
	return c
}

// readUDP reads the two lines of /proc/self/net/snmp that begin with "Udp:", names and values.
func (c *Counters) readUDP() {
	var names []string
	for l := range strings.Lines(procFile("/proc/self/net/snmp")) {
		f := strings.Fields(l)
		if len(f) == 0 || f[0] != "Udp:" {
			continue
		}
		if names == nil {
			names = f
			continue
		}
		for i, name := range names {
			switch v, _ := strconv.ParseFloat(f[i], 64); name {
			case "InDatagrams":
				c.UDPIn = v
			case "InErrors":
				c.UDPErr = v
			}
		}
	}
}

func (c *Counters) readLoopback() {
	for l := range strings.Lines(procFile("/proc/self/net/dev")) {
		f := strings.Fields(strings.Replace(l, ":", " ", 1))
		if len(f) > 3 && f[0] == "lo" {
			c.LoBytes, _ = strconv.ParseFloat(f[1], 64)
			c.LoPackets, _ = strconv.ParseFloat(f[2], 64)
		}
	}
}

func procFile(name string) string {
	b, _ := os.ReadFile(name)
	return string(b)
}

// Sub returns the change since an earlier snapshot, and the seconds between them.
func (c Counters) Sub(o Counters) (Counters, float64) {
	return Counters{CPU: c.CPU - o.CPU, UDPIn: c.UDPIn - o.UDPIn, UDPErr: c.UDPErr - o.UDPErr,
		LoPackets: c.LoPackets - o.LoPackets, LoBytes: c.LoBytes - o.LoBytes}, c.At.Sub(o.At).Seconds()
}

// Less subtracts rates per second from the counts of secs seconds.
func (c Counters) Less(rates Counters, secs float64) Counters {
	return Counters{CPU: c.CPU - rates.CPU*secs, UDPIn: c.UDPIn - rates.UDPIn*secs, UDPErr: c.UDPErr - rates.UDPErr*secs,
		LoPackets: c.LoPackets - rates.LoPackets*secs, LoBytes: c.LoBytes - rates.LoBytes*secs}
}

// Over divides by n, for rates and shares.
func (c Counters) Over(n float64) Counters {
	return Counters{CPU: c.CPU / n, UDPIn: c.UDPIn / n, UDPErr: c.UDPErr / n, LoPackets: c.LoPackets / n, LoBytes: c.LoBytes / n}
}

// RSS returns the resident set size in bytes.
func RSS() float64 {
	f := strings.Fields(procFile("/proc/self/statm"))
	if len(f) < 2 {
		return 0
	}
	pages, _ := strconv.ParseFloat(f[1], 64)
	return pages * float64(os.Getpagesize())
}

// Machine is the processor time of all processes together, in ticks.
type Machine struct{ busy, total float64 }

// MachineNow reads the first line of /proc/stat: user, nice, system, idle, iowait, irq, softirq, steal.
func MachineNow() Machine {
	line, _, _ := strings.Cut(procFile("/proc/stat"), "\n")
	var m Machine
	for i, s := range strings.Fields(line) {
		if i == 0 || i > 8 {
			continue
		}
		v, _ := strconv.ParseFloat(s, 64)
		m.total += v
		if i != 4 && i != 5 {
			m.busy += v
		}
	}
	return m
}

// OthersCores returns how many cores other processes used. ownCPU is the CPU time of this process in seconds.
func OthersCores(a, b Machine, ownCPU, secs float64) float64 {
	if b.total <= a.total || secs <= 0 {
		return 0
	}
	cores := float64(runtime.NumCPU())
	return max(0, (b.busy-a.busy)/(b.total-a.total)*cores-ownCPU/secs)
}
