package agent

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
)

// remembered bounds the addresses in a peers file, and so the addresses that a start tries.
const remembered = 64

// readPeers returns the addresses in a peers file, or none if the file does not exist.
func readPeers(path string) (addresses []string, err error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(io.LimitReader(f, 64<<10))
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(b)) {
		if line = strings.TrimSpace(line); line != "" && len(addresses) < remembered {
			addresses = append(addresses, line)
		}
	}
	return addresses, nil
}

// distinct returns the addresses without repetitions, in the same order. An IP address without a port has the port of
// bind, as in a Join.
func distinct(addresses []string, bind string) (all []string) {
	_, port, _ := net.SplitHostPort(bind)
	seen := make(map[string]bool)
	for _, address := range addresses {
		key := address
		if ip, err := netip.ParseAddr(strings.Trim(address, "[]")); err == nil {
			key = net.JoinHostPort(ip.String(), port)
		}
		if !seen[key] {
			seen[key] = true
			all = append(all, address)
		}
	}
	return all
}

// writePeers replaces a peers file atomically: a reader sees the old or the new file, also after a crash.
func writePeers(path string, addresses []string) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".gwyh-peers-*")
	if err != nil {
		return err
	}
	addresses = addresses[:min(len(addresses), remembered)]
	_, err = fmt.Fprintln(f, strings.Join(addresses, "\n"))
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}
