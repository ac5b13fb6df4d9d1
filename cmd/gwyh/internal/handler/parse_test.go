package handler

import (
	"slices"
	"testing"
)

func TestHandlersAreParsed(t *testing.T) {
	for text, want := range map[string]Handler{
		"member-join=./x a=b":                      {[]string{"member-join"}, "./x a=b"},
		"member-leave , member-failed = ./x":       {[]string{"member-leave", "member-failed"}, " ./x"},
		"*=./x":                                    {[]string{"*"}, "./x"},
		"message:deploy to prod,member-update=./x": {[]string{"message:deploy to prod", "member-update"}, "./x"},
	} {
		h, err := Parse(text)
		if err != nil || !slices.Equal(h.Events, want.Events) || h.Command != want.Command {
			t.Errorf("%q: %+v, %v", text, h, err)
		}
	}
	for _, text := range []string{"", "./x", "member-join=", "=./x", "message:=./x", "joins=./x", "member-join,=./x"} {
		if h, err := Parse(text); err == nil {
			t.Errorf("%q: %+v", text, h)
		}
	}
}
