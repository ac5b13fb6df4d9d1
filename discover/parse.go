package discover

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// Forms lists the texts that Parse accepts, one per line, for the help of a program.
const Forms = `dns://HOST:PORT                 all addresses of a name, IPv4 and IPv6
srv://_SERVICE._udp.DOMAIN      hosts and ports of SRV records
k8s://NAMESPACE/SERVICE?port=P  EndpointSlices of a service of Kubernetes; P is a
                                port's name or number, NAMESPACE may be empty
file:///PATH?port=N             addresses in a file, one on a line`

// Parse returns the Source that a text describes:
//
//	dns://gossip.example.com:6969
//	srv://_gwyh._udp.example.com
//	k8s://namespace/service?port=gossip
//	file:///etc/gwyh/seeds?port=6969
//
// An empty namespace of k8s, as in "k8s:///service", means the pod's own. The ports of k8s and file are optional: see
// Kubernetes and File.
func Parse(text string) (Source, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("source %q: %w", text, err)
	}
	var s Source
	switch {
	case u.User != nil || u.Fragment != "" || u.Opaque != "":
		err = errors.New("a user, a fragment or a text without // has no meaning here")
	case u.Scheme == "dns":
		s, err = parseDNS(u)
	case u.Scheme == "srv":
		s, err = parseSRV(u)
	case u.Scheme == "k8s":
		s, err = parseKubernetes(u)
	case u.Scheme == "file":
		s, err = parseFile(u)
	default:
		err = errors.New("want dns://, srv://, k8s:// or file://")
	}
	if err != nil {
		return nil, fmt.Errorf("source %q: %w", text, err)
	}
	return s, nil
}

// only returns an error if the URL has a path, or query parameters other than the named one.
func only(u *url.URL, path bool, parameter string) error {
	if !path && u.Path != "" && u.Path != "/" {
		return fmt.Errorf("the path %q has no meaning here", u.Path)
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return err
	}
	for name := range query {
		if name != parameter {
			return fmt.Errorf("the parameter %q has no meaning here", name)
		}
	}
	return nil
}

func parseDNS(u *url.URL) (Source, error) {
	if err := only(u, false, ""); err != nil {
		return nil, err
	}
	port, err := parsePort(u.Port())
	if err != nil || u.Hostname() == "" {
		return nil, errors.Join(errors.New("want dns://HOST:PORT"), err)
	}
	return &DNS{Host: u.Hostname(), Port: port}, nil
}

func parseSRV(u *url.URL) (Source, error) {
	if err := only(u, false, ""); err != nil {
		return nil, err
	}
	if u.Hostname() == "" || u.Port() != "" {
		return nil, errors.New("want srv://NAME, without a port")
	}
	return &SRV{Name: u.Hostname()}, nil
}

func parseKubernetes(u *url.URL) (Source, error) {
	if err := only(u, true, "port"); err != nil {
		return nil, err
	}
	service := strings.TrimPrefix(u.Path, "/")
	if service == "" || strings.Contains(service, "/") {
		return nil, errors.New("want k8s://NAMESPACE/SERVICE")
	}
	k := &Kubernetes{Namespace: u.Host, Service: service}
	text := u.Query().Get("port")
	if _, err := strconv.Atoi(text); err != nil {
		k.PortName = text
		return k, nil
	}
	var err error
	k.Port, err = parsePort(text)
	return k, err
}

func parseFile(u *url.URL) (Source, error) {
	if err := only(u, true, "port"); err != nil {
		return nil, err
	}
	if u.Host != "" || u.Path == "" {
		return nil, errors.New("want file:///PATH, with three slashes and the whole path")
	}
	f := &File{Path: u.Path}
	if text := u.Query().Get("port"); text != "" {
		port, err := parsePort(text)
		if err != nil {
			return nil, err
		}
		f.Port = port
	}
	return f, nil
}

// parsePort parses a port.
func parsePort(text string) (int, error) {
	port, err := strconv.Atoi(text)
	if err != nil || port < 1 || port > 65535 {
		return 0, fmt.Errorf("port %q, want 1 to 65535", text)
	}
	return port, nil
}
