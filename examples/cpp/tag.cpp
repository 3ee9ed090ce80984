// Tags texts from C++17: the model and its session are owned by objects, errors are exceptions.
//
//   g++ -std=c++17 tag.cpp $(pkg-config --cflags --libs nerfit) -o tag
//   ./tag MODEL "wake me at nine" "play some jazz"
#include <nerfit.h>

#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace {

struct Error : std::runtime_error {
    explicit Error(const nerfit_error &error) : std::runtime_error(error.text), code(error.code) {}
    nerfit_status code;
};

void check(nerfit_status status, const nerfit_error &error) {
    if (status != NERFIT_OK) throw Error(error);
}

struct Entity {
    std::string label;
    std::string_view text; // of the text that was tagged
    double score;
};

// Immutable once loaded: any number of taggers, one a thread, may stand on it.
class Model {
public:
    explicit Model(const char *folder, int threads = 0) {
        nerfit_model_options options = NERFIT_MODEL_OPTIONS_INIT;
        options.threads = threads;
        nerfit_model *loaded = nullptr;
        nerfit_error error;
        check(nerfit_model_load(&loaded, folder, &options, &error), error);
        model.reset(loaded);
    }
    const nerfit_model *get() const { return model.get(); }

private:
    struct Free {
        void operator()(nerfit_model *m) const { nerfit_model_free(m); }
    };
    std::unique_ptr<nerfit_model, Free> model;
};

class Tagger {
public:
    explicit Tagger(const Model &model) {
        nerfit_session *made = nullptr;
        nerfit_error error;
        check(nerfit_session_new(&made, model.get(), &error), error);
        session.reset(made);
    }
    // The entities of every text; their views hold as long as the texts.
    std::vector<std::vector<Entity>> operator()(const std::vector<std::string_view> &texts) {
        std::vector<const char *> data;
        std::vector<size_t> sizes;
        for (auto text : texts) {
            data.push_back(text.data());
            sizes.push_back(text.size());
        }
        const nerfit_prediction *predictions = nullptr;
        nerfit_error error;
        check(nerfit_predict(session.get(), data.data(), sizes.data(), texts.size(), &predictions,
                             &error),
              error);
        std::vector<std::vector<Entity>> out(texts.size());
        for (size_t i = 0; i < texts.size(); i++)
            for (size_t k = 0; k < predictions[i].n_entities; k++) {
                const nerfit_entity &e = predictions[i].entities[k];
                out[i].push_back(
                    {e.label, texts[i].substr(e.byte_start, e.byte_end - e.byte_start), e.score});
            }
        return out;
    }

private:
    struct Free {
        void operator()(nerfit_session *s) const { nerfit_session_free(s); }
    };
    std::unique_ptr<nerfit_session, Free> session;
};

} // namespace

int main(int argc, char **argv) {
    if (argc < 3) {
        std::fprintf(stderr, "usage: %s MODEL TEXT...\n", argv[0]);
        return 2;
    }
    try {
        Model model(argv[1]);
        Tagger tag(model);
        for (const auto &entities : tag({argv + 2, argv + argc}))
            for (const auto &e : entities)
                std::printf("%s: %.*s (%.4f)\n", e.label.c_str(), static_cast<int>(e.text.size()),
                            e.text.data(), e.score);
    } catch (const Error &error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
}
