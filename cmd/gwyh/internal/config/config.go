// Package config reads the configuration of an agent from TOML or YAML files, the environment and the command line.
// All three set the same options by the same names.
package config

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/gwyh-go/gwyh"
	"github.com/gwyh-go/gwyh/cmd/gwyh/internal/api"
	"github.com/gwyh-go/gwyh/cmd/gwyh/internal/handler"
	"github.com/gwyh-go/gwyh/discover"
)

// DefaultHTTP is the address at which an agent serves its API and other commands look for it.
const DefaultHTTP = "127.0.0.1:6970"

// A Config is the configuration of an agent.
type Config struct {
	Name      string
	Bind      string // host:port
	Advertise string // host or host:port; empty for the bound address
	Join      []string
	Discover  []discover.Source
	PeersFile string // keeps the addresses of members over restarts; empty for none

	Profile  string // lan, wan or local
	Label    string
	Zone     string
	Strategy gwyh.DistributionStrategy
	// BeaconInterval is the interval of beacons; 0 for none.
	BeaconInterval time.Duration

	Allow    []net.IPNet // networks that members may have addresses in; none for all
	MaxNodes int         // maximum number of members; 0 for no limit

	Keys     [][]byte // the primary one first
	Insecure bool     // run without a key on an address other than loopback

	HTTP  string // address of the API; empty for none
	Token string
	Meta  []byte

	Handlers       []handler.Handler
	HandlerTimeout time.Duration

	LogLevel string // debug, info, warn or error
	LogJSON  bool

	Demo int // nodes of a demonstration cluster; 0 for none
}

// Default returns a Config with the default values.
func Default() *Config {
	return &Config{
		Bind: net.JoinHostPort("0.0.0.0", strconv.Itoa(gwyh.DefaultPort)), Profile: "lan", HTTP: DefaultHTTP,
		HandlerTimeout: time.Minute, LogLevel: "info",
	}
}

// check returns an error if the options together are invalid.
func (c *Config) check() error {
	if _, err := c.Library(); err != nil {
		return err
	}
	switch {
	case c.HTTP != "" && c.Token == "" && !api.IsLoopback(c.HTTP):
		return fmt.Errorf("http %s is reached from other machines, so a token is needed: set GWYH_TOKEN or token-file to a long random text, for example of `gwyh keygen`", c.HTTP)
	case len(c.Keys) == 0 && !c.Insecure && !api.IsLoopback(c.Bind) && c.Demo == 0:
		return fmt.Errorf("no key is set, and the node listens on %s, where others reach it: set GWYH_KEY or key-file to the cluster's key (`gwyh keygen` makes one), or pass -insecure to run with the well-known default key", c.Bind)
	}
	return nil
}

// Library returns the configuration of the library, without delegates and log.
func (c *Config) Library() (*gwyh.Config, error) {
	presets := map[string]func() *gwyh.Config{"lan": gwyh.DefaultLANConfig, "wan": gwyh.DefaultWANConfig, "local": gwyh.DefaultLocalConfig}
	l := presets[c.Profile]()
	if c.Name != "" {
		l.Name = c.Name
	}
	var err error
	if l.BindAddr, l.BindPort, err = split(c.Bind); err != nil {
		return nil, fmt.Errorf("bind %q: %w", c.Bind, err)
	}
	l.AdvertisePort = l.BindPort
	if c.Advertise != "" {
		if l.AdvertiseAddr, l.AdvertisePort, err = splitOptional(c.Advertise, l.BindPort); err != nil {
			return nil, fmt.Errorf("advertise %q: %w", c.Advertise, err)
		}
	}
	l.Label, l.Zone, l.DistributionStrategy, l.CIDRsAllowed = c.Label, c.Zone, c.Strategy, c.Allow
	l.BeaconInterval = c.BeaconInterval
	if len(c.Keys) > 0 {
		if l.Keyring, err = gwyh.NewKeyring(c.Keys, c.Keys[0]); err != nil {
			return nil, err
		}
	} else {
		l.Keyring = &gwyh.Keyring{} // so that keys can be added at run time
	}
	return l, nil
}

// split returns a host and a port from 0 to 65535.
func split(hostport string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(hostport)
	if err != nil {
		return "", 0, errors.New("want host:port, as in 10.0.0.5:6969 or [fd00::5]:6969")
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return "", 0, fmt.Errorf("port %q, want 0 to 65535", text)
	}
	return host, int(n), nil
}

// splitOptional is split for an address whose port is optional. port is the default.
func splitOptional(address string, port int) (string, int, error) {
	if ip := net.ParseIP(strings.Trim(address, "[]")); ip != nil {
		return ip.String(), port, nil
	}
	return split(address)
}

// ParseKey parses a key: base64 of 16, 24 or 32 bytes, as keygen writes it, or "text:" and the bytes of the key.
func ParseKey(text string) ([]byte, error) {
	if raw, ok := strings.CutPrefix(text, "text:"); ok {
		if raw == "" || len(raw) > 255 {
			return nil, fmt.Errorf("key of %d bytes, want 1 to 255", len(raw))
		}
		return []byte(raw), nil
	}
	key, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, errors.New("key is not base64 (write text:... for a key that is its bytes as they are)")
	}
	return key, gwyh.ValidateKey(key)
}

// readSecrets returns the lines of a file that are neither empty nor comments.
func readSecrets(path string) (lines []string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(io.LimitReader(f, 64<<10))
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(b)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			lines = append(lines, line)
		}
	}
	if len(lines) == 0 {
		return nil, fmt.Errorf("%s holds nothing", path)
	}
	return lines, nil
}
