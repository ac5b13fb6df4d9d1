package agent

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestPrometheusScrapesTheAgentWithItsToken(t *testing.T) {
	_, c := start(t, "-name", "ann", "-token", "secret")
	for token, want := range map[string]int{"secret": http.StatusOK, "guess": http.StatusUnauthorized} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.Base+"/metrics", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+token)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil || response.StatusCode != want {
			t.Errorf("token %s: %s, %v", token, response.Status, err)
		}
		for _, line := range []string{"\ngwyh_members 1\n", `gwyh_warning{code="clock"} 0`, "\ngo_goroutines "} {
			if got := strings.Contains(string(body), line); got != (want == http.StatusOK) {
				t.Errorf("token %s: line %q is there: %v", token, line, got)
			}
		}
	}
}
