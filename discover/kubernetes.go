package discover

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

// serviceAccount is where Kubernetes mounts the credentials of a pod for the API server.
const serviceAccount = "/var/run/secrets/kubernetes.io/serviceaccount"

const (
	// maxSlices bounds the body of one answer of the API server, in bytes.
	maxSlices = 16 << 20
	// slicesOnPage is the number of EndpointSlices per request. A slice has at most 1,000 endpoints, usually 100.
	slicesOnPage = 100
	// maxPages bounds the number of requests of one Find.
	maxPages = 100
)

// Kubernetes is a Source of the EndpointSlices of a service. It queries the API server over HTTP with the token of
// the pod's service account, which needs the verb "list" for "endpointslices" of the group "discovery.k8s.io". It
// needs no client library of Kubernetes. It returns endpoints that are not ready, because nodes of a cluster find
// each other before they are ready. It does not return terminating endpoints.
//
// Unlike the DNS of a headless service, EndpointSlices contain the port and are not cached.
type Kubernetes struct {
	Service string
	// Namespace is the namespace of the service. Empty means the pod's own.
	Namespace string
	// PortName is the name of the service's port. Empty means Port or, if Port is zero, the slice's only port.
	PortName string
	// Port, if not zero, is used instead of the ports of the slices.
	Port int

	// Server is the URL of the API server. Empty means the API server of the pod's cluster (KUBERNETES_SERVICE_HOST
	// and KUBERNETES_SERVICE_PORT).
	Server string
	// Account is the directory of the files token, ca.crt and namespace. Empty means where Kubernetes mounts it. The
	// token is read before each request, because Kubernetes replaces it.
	Account string
	// Client sends the requests. Nil means a client that trusts ca.crt of Account.
	Client *http.Client

	made *http.Client // by the first Find, unless Client is set
}

// String returns the URL that Parse accepts.
func (k *Kubernetes) String() string {
	u := url.URL{Scheme: "k8s", Host: k.Namespace, Path: "/" + k.Service}
	query := url.Values{}
	if k.PortName != "" {
		query.Set("port", k.PortName)
	} else if k.Port != 0 {
		query.Set("port", fmt.Sprint(k.Port))
	}
	u.RawQuery = query.Encode()
	return u.String()
}

// Find lists the slices of the service, page by page.
func (k *Kubernetes) Find(ctx context.Context) ([]string, error) {
	base, err := k.list()
	if err != nil {
		return nil, err
	}
	var found []string
	next := ""
	for range maxPages {
		var page sliceList
		if err := k.get(ctx, base, next, &page); err != nil {
			return nil, err
		}
		for i := range page.Items {
			if found, err = k.appendEndpoints(found, &page.Items[i]); err != nil {
				return nil, err
			}
		}
		if next = page.Metadata.Continue; next == "" || len(found) >= maxFound {
			return found, nil
		}
	}
	return found, nil
}

// list returns the URL that lists the slices of the service.
func (k *Kubernetes) list() (*url.URL, error) {
	if k.Service == "" {
		return nil, errors.New("discover: Kubernetes.Service is empty")
	}
	server, err := k.server()
	if err != nil {
		return nil, err
	}
	namespace := k.Namespace
	if namespace == "" {
		own, err := readLimited(filepath.Join(k.account(), "namespace"), 256)
		if err != nil {
			return nil, fmt.Errorf("find the pod's namespace: %w", err)
		}
		namespace = strings.TrimSpace(string(own))
	}
	u := server.JoinPath("apis/discovery.k8s.io/v1/namespaces", url.PathEscape(namespace), "endpointslices")
	u.RawQuery = url.Values{
		"labelSelector": {"kubernetes.io/service-name=" + k.Service},
		"limit":         {fmt.Sprint(slicesOnPage)},
	}.Encode()
	return u, nil
}

func (k *Kubernetes) account() string {
	if k.Account != "" {
		return k.Account
	}
	return serviceAccount
}

func (k *Kubernetes) server() (*url.URL, error) {
	if k.Server != "" {
		return url.Parse(k.Server)
	}
	host, port := os.Getenv("KUBERNETES_SERVICE_HOST"), os.Getenv("KUBERNETES_SERVICE_PORT")
	if host == "" || port == "" {
		return nil, errors.New("KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set: this program does not run in a pod of Kubernetes")
	}
	return &url.URL{Scheme: "https", Host: net.JoinHostPort(host, port)}, nil
}

// get requests one page.
func (k *Kubernetes) get(ctx context.Context, list *url.URL, next string, page *sliceList) error {
	client, err := k.httpClient()
	if err != nil {
		return err
	}
	token, err := readLimited(filepath.Join(k.account(), "token"), 64<<10)
	if err != nil {
		return fmt.Errorf("read the token of the service account: %w", err)
	}
	u := *list
	if next != "" {
		u.RawQuery += "&continue=" + url.QueryEscape(next)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	request.Header.Set("Accept", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	return decodeSlices(response, page)
}

// decodeSlices decodes an answer of the API server.
func decodeSlices(response *http.Response, page *sliceList) error {
	body, err := io.ReadAll(io.LimitReader(response.Body, maxSlices+1))
	switch {
	case err != nil:
		return fmt.Errorf("list EndpointSlices: %w", err)
	case len(body) > maxSlices:
		return fmt.Errorf("list EndpointSlices: the answer has more than %d bytes", maxSlices)
	case response.StatusCode != http.StatusOK:
		return fmt.Errorf("list EndpointSlices: the API server answers %s: %.200q%s", response.Status, body, advice(response.StatusCode))
	}
	if err := json.Unmarshal(body, page); err != nil {
		return fmt.Errorf("list EndpointSlices: %w", err)
	}
	return nil
}

// advice returns what to do about an HTTP status.
func advice(status int) string {
	switch status {
	case http.StatusUnauthorized:
		return " (is the token of the pod's service account mounted?)"
	case http.StatusForbidden:
		return ` (the service account needs a Role with the verb "list" for "endpointslices" of "discovery.k8s.io")`
	}
	return ""
}

// httpClient returns Client, or one that trusts the cluster's certificate authority.
func (k *Kubernetes) httpClient() (*http.Client, error) {
	if k.Client != nil {
		return k.Client, nil
	}
	var err error
	if k.made == nil {
		k.made, err = k.newClient()
	}
	return k.made, err
}

func (k *Kubernetes) newClient() (*http.Client, error) {
	pem, err := readLimited(filepath.Join(k.account(), "ca.crt"), 1<<20)
	if err != nil {
		return nil, fmt.Errorf("read the certificate authority of the API server: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate", filepath.Join(k.account(), "ca.crt"))
	}
	return &http.Client{Transport: &http.Transport{
		TLSClientConfig:     &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2:   true,
		MaxIdleConnsPerHost: 1,
	}}, nil
}

// The fields of an EndpointSliceList (discovery.k8s.io/v1) that this package reads.
type (
	sliceList struct {
		Metadata struct {
			Continue string `json:"continue"`
		} `json:"metadata"`
		Items []slice `json:"items"`
	}
	slice struct {
		AddressType string     `json:"addressType"`
		Endpoints   []endpoint `json:"endpoints"`
		Ports       []port     `json:"ports"`
	}
	endpoint struct {
		Addresses  []string `json:"addresses"`
		Conditions struct {
			Terminating *bool `json:"terminating"`
		} `json:"conditions"`
	}
	port struct {
		Name string `json:"name"`
		Port int    `json:"port"`
	}
)

// appendEndpoints appends the addresses of a slice.
func (k *Kubernetes) appendEndpoints(found []string, s *slice) ([]string, error) {
	if s.AddressType != "IPv4" && s.AddressType != "IPv6" {
		return found, nil
	}
	p, err := k.portOf(s)
	if err != nil {
		return nil, err
	}
	for _, e := range s.Endpoints {
		if t := e.Conditions.Terminating; t != nil && *t {
			continue
		}
		for _, a := range e.Addresses {
			address, err := withPort(a, p)
			if err != nil {
				return nil, err
			}
			found = append(found, address)
		}
	}
	return found, nil
}

// portOf returns the port of the nodes of a slice.
func (k *Kubernetes) portOf(s *slice) (int, error) {
	switch {
	case k.PortName != "":
		for _, p := range s.Ports {
			if p.Name == k.PortName {
				return p.Port, nil
			}
		}
		return 0, fmt.Errorf("service %s has no port named %q", k.Service, k.PortName)
	case k.Port != 0:
		return k.Port, nil
	case len(s.Ports) == 1:
		return s.Ports[0].Port, nil
	}
	return 0, fmt.Errorf("service %s has %d ports: set PortName or Port", k.Service, len(s.Ports))
}
