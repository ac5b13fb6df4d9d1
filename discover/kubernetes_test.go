package discover_test

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gwyh-go/gwyh/discover"
)

// apiServer is a Kubernetes API server with the features that a Source uses. It serves over TLS.
type apiServer struct {
	*httptest.Server
	account string            // directory of a service account that it accepts
	token   string            // the token that it accepts
	pages   map[string]string // answers by the value of "continue"
	asked   []*url.URL
}

func newAPIServer(t *testing.T) *apiServer {
	t.Helper()
	s := &apiServer{account: t.TempDir(), pages: map[string]string{}}
	s.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked = append(s.asked, r.URL)
		if r.Header.Get("Authorization") != "Bearer "+s.token {
			http.Error(w, `{"kind":"Status","message":"Unauthorized"}`, http.StatusUnauthorized)
			return
		}
		_, _ = fmt.Fprint(w, s.pages[r.URL.Query().Get("continue")])
	}))
	t.Cleanup(s.Close)
	s.file(t, "ca.crt", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})))
	s.file(t, "namespace", "prod")
	s.setToken(t, "first")
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("KUBERNETES_SERVICE_HOST", u.Hostname())
	t.Setenv("KUBERNETES_SERVICE_PORT", u.Port())
	return s
}

func (s *apiServer) file(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(s.account, name), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (s *apiServer) setToken(t *testing.T, token string) {
	t.Helper()
	s.token = token
	s.file(t, "token", token+"\n")
}

// The format is that of a real cluster: see the reference of discovery.k8s.io/v1.
const twoSlices = `{"kind":"EndpointSliceList","apiVersion":"discovery.k8s.io/v1","metadata":{"resourceVersion":"7"%s},"items":[
 {"metadata":{"name":"gossip-abc"},"addressType":"IPv4",
  "endpoints":[
   {"addresses":["10.0.0.1"],"conditions":{"ready":true,"serving":true,"terminating":false},"nodeName":"a"},
   {"addresses":["10.0.0.2"],"conditions":{"ready":false}},
   {"addresses":["10.0.0.3"],"conditions":{"ready":false,"serving":true,"terminating":true}}],
  "ports":[{"name":"gossip","protocol":"UDP","port":7001},{"name":"http","protocol":"TCP","port":80}]},
 {"metadata":{"name":"gossip-def"},"addressType":"IPv6","endpoints":[{"addresses":["2001:db8::1"],"conditions":{}}],
  "ports":[{"name":"gossip","protocol":"UDP","port":7001},{"name":"http","protocol":"TCP","port":80}]},
 {"metadata":{"name":"gossip-ghi"},"addressType":"FQDN","endpoints":[{"addresses":["one.test"]}],"ports":[]}]}`

func TestEndpointSlicesAreListedWithTheTokenOfThePod(t *testing.T) {
	s := newAPIServer(t)
	s.pages[""] = fmt.Sprintf(twoSlices, "")
	got := find(t, &discover.Kubernetes{Service: "gossip", PortName: "gossip", Account: s.account})
	if want := []string{"10.0.0.1:7001", "10.0.0.2:7001", "[2001:db8::1]:7001"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if want := "/apis/discovery.k8s.io/v1/namespaces/prod/endpointslices"; s.asked[0].Path != want {
		t.Errorf("asked %s, want %s", s.asked[0].Path, want)
	}
	if got := s.asked[0].Query().Get("labelSelector"); got != "kubernetes.io/service-name=gossip" {
		t.Errorf("label selector %q", got)
	}
}

func TestPagesOfEndpointSlicesAreFollowed(t *testing.T) {
	s := newAPIServer(t)
	s.pages[""] = fmt.Sprintf(twoSlices, `,"continue":"a/b=="`)
	s.pages["a/b=="] = `{"items":[{"addressType":"IPv4","endpoints":[{"addresses":["10.0.9.9"]}],"ports":[{"name":"gossip","port":7001}]}]}`
	got := find(t, &discover.Kubernetes{Service: "gossip", PortName: "gossip", Account: s.account})
	if !slices.Contains(got, "10.0.9.9:7001") {
		t.Errorf("%v lacks the second page", got)
	}
}

func TestPagesThatNeverEndAreGivenUp(t *testing.T) {
	s := newAPIServer(t)
	s.pages[""] = fmt.Sprintf(twoSlices, `,"continue":"again"`)
	s.pages["again"] = s.pages[""]
	find(t, &discover.Kubernetes{Service: "gossip", PortName: "gossip", Account: s.account})
	if n := len(s.asked); n != 100 {
		t.Errorf("%d requests, want 100", n)
	}
}

func TestTokenIsReadAgainForEachRequest(t *testing.T) {
	s := newAPIServer(t)
	s.pages[""] = fmt.Sprintf(twoSlices, "")
	k := &discover.Kubernetes{Service: "gossip", Port: 6969, Account: s.account}
	find(t, k)
	s.setToken(t, "second")
	if got := find(t, k); !slices.Contains(got, "10.0.0.1:6969") {
		t.Errorf("found %v", got)
	}
}

func TestErrorsOfKubernetesSayWhatToDo(t *testing.T) {
	s := newAPIServer(t)
	s.pages[""] = fmt.Sprintf(twoSlices, "")
	try := func(k *discover.Kubernetes, want string) {
		t.Helper()
		k.Account = s.account
		if _, err := k.Find(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want an error with %q", err, want)
		}
	}
	try(&discover.Kubernetes{}, "Service is empty")
	try(&discover.Kubernetes{Service: "gossip", PortName: "grpc"}, `no port named "grpc"`)
	try(&discover.Kubernetes{Service: "gossip"}, "has 2 ports: set PortName or Port")
	s.token = "another"
	try(&discover.Kubernetes{Service: "gossip", Port: 1}, "is the token of the pod's service account mounted?")
	s.file(t, "ca.crt", "nonsense")
	try(&discover.Kubernetes{Service: "gossip", Port: 1}, "holds no certificate")
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	try(&discover.Kubernetes{Service: "gossip", Port: 1}, "this program does not run in a pod of Kubernetes")
}

func TestStatusForbiddenNamesTheRole(t *testing.T) {
	forbids := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		_ = json.NewEncoder(w).Encode(map[string]string{"kind": "Status", "message": "endpointslices is forbidden"})
	}))
	defer forbids.Close()
	k := &discover.Kubernetes{Service: "gossip", Namespace: "prod", Port: 1, Server: forbids.URL, Account: newAPIServer(t).account, Client: http.DefaultClient}
	if _, err := k.Find(t.Context()); err == nil || !strings.Contains(err.Error(), `the verb "list" for "endpointslices"`) {
		t.Errorf("%v, want an error that names the rights", err)
	}
}

func TestAnswerWithoutEndIsCut(t *testing.T) {
	endless := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for b := []byte(strings.Repeat(" ", 1<<20)); ; {
			if _, err := w.Write(b); err != nil {
				return
			}
		}
	}))
	defer endless.Close()
	k := &discover.Kubernetes{Service: "gossip", Namespace: "prod", Port: 1, Server: endless.URL, Account: newAPIServer(t).account, Client: http.DefaultClient}
	if _, err := k.Find(t.Context()); err == nil || !strings.Contains(err.Error(), "more than 16777216 bytes") {
		t.Errorf("%v, want an error about the size", err)
	}
}
