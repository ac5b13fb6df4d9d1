package gwyh

import (
	"bytes"
	"log"
	"log/slog"
	"net"
	"testing"
)

func TestLogLinesNameThePeer(t *testing.T) {
	addr := &net.UDPAddr{IP: net.IPv4(1, 2, 3, 4), Port: 5}
	conn, other := net.Pipe()
	defer func() { _, _ = conn.Close(), other.Close() }()
	for got, want := range map[string]string{
		LogAddress(addr):             "from=1.2.3.4:5",
		LogAddress(nil):              "from=<unknown address>",
		LogStringAddress("[::1]:5"):  "from=[::1]:5",
		LogStringAddress(""):         "from=<unknown address>",
		LogConn(conn):                "from=pipe",
		LogConn(nil) + " (conn nil)": "from=<unknown address> (conn nil)",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestLogLinesHaveLevelAndLibrary(t *testing.T) {
	var b bytes.Buffer
	for _, c := range []*Config{{LogOutput: &b}, {Logger: log.New(&b, "", log.LstdFlags)}} {
		b.Reset()
		l := newLogger(c)
		l.out.SetFlags(0)
		l.debugf("a %d", 1)
		l.infof("b")
		l.warnf("c %s", "d")
		l.errorf("e")
		want := "[DEBUG] gwyh: a 1\n[INFO] gwyh: b\n[WARN] gwyh: c d\n[ERR] gwyh: e\n"
		if b.String() != want {
			t.Errorf("%q", b.String())
		}
	}
	if newLogger(&Config{}).out == nil {
		t.Error("no default")
	}
}

func TestLogHandlerGetsRecordsWithTheirLevel(t *testing.T) {
	var b bytes.Buffer
	handler := slog.NewTextHandler(&b, &slog.HandlerOptions{Level: slog.LevelInfo, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}})
	l := newLogger(&Config{LogHandler: handler})
	l.debugf("not enabled")
	l.infof("b")
	l.warnf("c %s", "d")
	l.errorf("e")
	l.line("[WARN] gwyh: from the core")
	want := "level=INFO msg=b\nlevel=WARN msg=\"c d\"\nlevel=ERROR msg=e\nlevel=WARN msg=\"from the core\"\n"
	if b.String() != want {
		t.Errorf("%s", b.String())
	}
}

func TestStrategiesHaveNames(t *testing.T) {
	for s, want := range map[DistributionStrategy]string{
		Uniform: "Uniform", HubAndSpoke: "HubAndSpoke", PreferLocal: "PreferLocal", PreferRemote: "PreferRemote", Nearest: "Nearest",
		5: "DistributionStrategy(5)", -1: "DistributionStrategy(-1)",
	} {
		if s.String() != want {
			t.Errorf("%q, want %q", s, want)
		}
	}
}
