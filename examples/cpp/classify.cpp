// Says what is in pictures, each by a thread and a session of its own, with a network that is a part of the program.
//
//     frit compile examples/mobilenet_v2/model.json -o mobilenet_v2.o
//     c++ -std=c++17 -I. examples/cpp/classify.cpp mobilenet_v2.o -pthread -o classify
//     ./classify cat.ppm coffee.ppm          (224x224 pixels, binary)
#include <algorithm>
#include <array>
#include <fstream>
#include <future>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "mobilenet_v2.h"

/// A session that ends with its owner.
class Session {
  public:
    explicit Session(unsigned threads) {
        mobilenet_v2_session *made = nullptr;
        check(mobilenet_v2_create(&made, threads));
        session.reset(made);
    }

    std::vector<float> run(const std::vector<float> &images) {
        const std::size_t batch = images.size() / MOBILENET_V2_INPUT_IMAGE_ELEMENTS;
        std::vector<float> logits(batch * MOBILENET_V2_OUTPUT_LOGITS_ELEMENTS);
        const mobilenet_v2_inputs inputs{images.data()};
        const mobilenet_v2_outputs outputs{logits.data()};
        check(mobilenet_v2_run(session.get(), &inputs, &outputs, batch));
        return logits;
    }

  private:
    struct Destroy {
        void operator()(mobilenet_v2_session *made) const { mobilenet_v2_destroy(made); }
    };

    static void check(int status) {
        if (status != MOBILENET_V2_OK)
            throw std::runtime_error(mobilenet_v2_message(status));
    }

    std::unique_ptr<mobilenet_v2_session, Destroy> session;
};

static std::vector<float> read(const std::string &path) {
    constexpr std::array<float, 2> range MOBILENET_V2_PICTURE_RANGE;
    constexpr std::array<float, 3> mean MOBILENET_V2_PICTURE_MEAN, deviation MOBILENET_V2_PICTURE_STD;
    std::ifstream file(path, std::ios::binary);
    std::string kind;
    int width = 0, height = 0, most = 0;
    std::vector<char> pixels(MOBILENET_V2_INPUT_IMAGE_ELEMENTS);
    file >> kind >> width >> height >> most;
    file.get();
    if (kind != "P6" || width != 224 || height != 224 || most != 255 || !file.read(pixels.data(), 224 * 224 * 3))
        throw std::runtime_error(path + " is no PPM of 224x224 pixels");
    std::vector<float> image(pixels.size());
    for (std::size_t i = 0; i < image.size(); i++) {
        const auto byte = static_cast<float>(static_cast<unsigned char>(pixels[i]));
        image[i] = (range[0] + byte / 255.0f * (range[1] - range[0]) - mean[i % 3]) / deviation[i % 3];
    }
    return image;
}

static std::string classify(const std::string &path) {
    const std::vector<float> logits = Session(1).run(read(path));
    const auto best = std::max_element(logits.begin(), logits.end()) - logits.begin();
    return path + ": " + mobilenet_v2_label(static_cast<std::size_t>(best));
}

int main(int argc, char **argv) try {
    std::vector<std::future<std::string>> answers;
    for (const std::string &path : std::vector<std::string>(argv + 1, argv + argc))
        answers.push_back(std::async(std::launch::async, classify, path));
    for (auto &answer : answers)
        std::cout << answer.get() << '\n';
    return 0;
} catch (const std::exception &error) {
    std::cerr << error.what() << '\n';
    return 1;
}
