module github.com/gwyh-go/gwyh/release

go 1.26.0
