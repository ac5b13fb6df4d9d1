package statuspage_test

import (
	"log"
	"net/http"

	"github.com/gwyh-go/gwyh"
	"github.com/gwyh-go/gwyh/statuspage"
)

func Example() {
	list, err := gwyh.Create(gwyh.DefaultLocalConfig())
	if err != nil {
		log.Fatal(err)
	}
	http.Handle("/gwyh/", http.StripPrefix("/gwyh", statuspage.Handler(list)))
	log.Fatal(http.ListenAndServe("127.0.0.1:8080", nil)) // http://127.0.0.1:8080/gwyh/
}
