// Tags texts from Go, by cgo over nerfit.h.
//
//	go build -o tag . && ./tag MODEL "wake me at nine" "play some jazz"
package main

/*
#cgo pkg-config: nerfit
#include <nerfit.h>
#include <stdlib.h>

// C arrays of Go's strings: sizes go along, since Go's texts have no final NUL.
static const char **new_texts(size_t count) { return calloc(count, sizeof(char *)); }
static void set_text(const char **texts, size_t i, const char *text) { texts[i] = text; }
static nerfit_model_options model_options(int threads) {
    nerfit_model_options options = NERFIT_MODEL_OPTIONS_INIT;
    options.threads = threads;
    return options;
}
*/
import "C"

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"unsafe"
)

// Entity is a part of a text that the model has found.
type Entity struct {
	Label      string
	Start, End int // bytes of the text, as Go slices it
	Score      float64
}

// Tagger is a loaded model with a session; one goroutine at a time may use it.
type Tagger struct {
	model   *C.nerfit_model
	session *C.nerfit_session
}

func failure(e *C.nerfit_error) error { return errors.New(C.GoString(&e.text[0])) }

// Load reads a model's folder; threads 0 takes all cores. Close it in the end.
func Load(folder string, threads int) (*Tagger, error) {
	name := C.CString(folder)
	defer C.free(unsafe.Pointer(name))
	options := C.model_options(C.int(threads))
	var e C.nerfit_error
	t := &Tagger{}
	if C.nerfit_model_load(&t.model, name, &options, &e) != C.NERFIT_OK {
		return nil, failure(&e)
	}
	if C.nerfit_session_new(&t.session, t.model, &e) != C.NERFIT_OK {
		t.Close()
		return nil, failure(&e)
	}
	return t, nil
}

// Close frees what C holds.
func (t *Tagger) Close() {
	C.nerfit_session_free(t.session)
	C.nerfit_model_free(t.model)
}

// Tag finds the entities of every text.
func (t *Tagger) Tag(texts []string) ([][]Entity, error) {
	n := len(texts)
	if n == 0 {
		return nil, nil
	}
	data := C.new_texts(C.size_t(n))
	defer C.free(unsafe.Pointer(data))
	sizes := make([]C.size_t, n)
	for i, text := range texts {
		copied := C.CString(text)
		defer C.free(unsafe.Pointer(copied))
		C.set_text(data, C.size_t(i), copied)
		sizes[i] = C.size_t(len(text))
	}
	var found *C.nerfit_prediction
	var e C.nerfit_error
	if C.nerfit_predict(t.session, data, &sizes[0], C.size_t(n), &found, &e) != C.NERFIT_OK {
		return nil, failure(&e)
	}
	out := make([][]Entity, n)
	for i, p := range unsafe.Slice(found, n) {
		for _, x := range unsafe.Slice(p.entities, int(p.n_entities)) {
			out[i] = append(out[i], Entity{C.GoString(x.label), int(x.byte_start), int(x.byte_end),
				float64(x.score)})
		}
	}
	runtime.KeepAlive(t)
	return out, nil
}

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintf(os.Stderr, "usage: %s MODEL TEXT...\n", os.Args[0])
		os.Exit(2)
	}
	tagger, err := Load(os.Args[1], 0)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	defer tagger.Close()
	texts := os.Args[2:]
	tagged, err := tagger.Tag(texts)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for i, entities := range tagged {
		for _, e := range entities {
			fmt.Printf("%s: %s (%.4f)\n", e.Label, texts[i][e.Start:e.End], e.Score)
		}
	}
}
